"""What is asked of ClickHouse before anything is published: its version, and that this user may publish.

Where it stops: nothing is made or written.
"""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from lakehouse_assets.engines.clickhouse.publish import GOLD, STAGING
from lakehouse_assets.engines.clickhouse.sql import quoted

_NEEDED = ("SELECT", "INSERT", "ALTER", "CREATE TABLE", "DROP TABLE")


class MayNot(RuntimeError):
    """The user lacks a privilege; the message names each."""


def version(client: Client) -> str:
    """`ClickHouse 26.9.2.1`."""
    return f"ClickHouse {client.query('SELECT version()').result_rows[0][0]}"


def may_publish(client: Client) -> str:
    """Raises MayNot naming what the user may not do in the databases that publishing uses."""
    missing = [
        f"{privilege} on {database}.*"
        for database in (GOLD, STAGING)
        for privilege in _NEEDED
        if not client.query(f"CHECK GRANT {privilege} ON {quoted(database)}.*").result_rows[0][0]
    ]
    if missing:
        raise MayNot(f"{client.query('SELECT currentUser()').result_rows[0][0]} lacks {', '.join(missing)}")
    return f"{GOLD}, {STAGING}"
