"""Gold over the shop's live MySQL database: the tables as they are this moment, and two views that join them to marts.

Columns come from the contracts. Personal columns are left out, so that they never leave the database; the address and
the password are a named collection of ClickHouse, called like the source, and in no statement of ours.
Where it stops: who may ask is ClickHouse's; nothing is copied, and nothing can be written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.clickhouse.ddl import column_type, create_mysql_table
from lakehouse_assets.engines.clickhouse.publish import GOLD
from lakehouse_assets.engines.clickhouse.sql import quoted
from lakehouse_assets.engines.iceberg.schema import fields
from lakehouse_assets.engines.iceberg.tables import iceberg_types
from lakehouse_assets.mendable import Mendable

LIVE = "live_"
LIFETIME_MART = "customer_lifetime_value"

_ACTIVE_SESSIONS = """
SELECT users.username, sessions.device, sessions.started_at, sessions.last_activity
FROM {gold}.live_user_sessions AS sessions
INNER JOIN {gold}.live_users AS users ON users.id = sessions.user_id
WHERE sessions.is_active AND sessions.last_activity >= now64(6, 'UTC') - INTERVAL 1 HOUR
"""
_LIFETIME_VALUE = """
SELECT users.id AS user_id, users.username, users.country,
    coalesce(recent.orders, 0) AS recent_orders, recent.last_order_date, lifetime.lifetime_value
FROM {gold}.live_users AS users
LEFT JOIN (
    SELECT user_id, toNullable(count()) AS orders, toNullable(max(order_date)) AS last_order_date
    FROM {gold}.live_orders
    WHERE order_date >= now64(6, 'UTC') - INTERVAL 30 DAY
    GROUP BY user_id
) AS recent ON recent.user_id = users.id
LEFT JOIN (
    SELECT user_id, toNullable(lifetime_value) AS lifetime_value FROM {gold}.customer_lifetime_value FINAL
) AS lifetime ON lifetime.user_id = users.id
"""
_VIEWS = {"active_sessions": _ACTIVE_SESSIONS, f"{LIFETIME_MART}_live": _LIFETIME_VALUE}


class NotLive(Mendable):
    """ClickHouse cannot show the live database; one line that says what is missing."""


@dataclass(frozen=True)
class LiveObject:
    """A table or view of gold; `statement` makes it anew in place of the one before."""

    name: str
    kind: str
    statement: str


def live_objects() -> Iterator[LiveObject]:
    """The tables of every MySQL source, then the views over them."""
    for table in tables():
        if table.source.connector == "mysql":
            name = f"{LIVE}{table.name}"
            statement = create_mysql_table(GOLD, name, columns(table), table.source.name, table.name)
            yield LiveObject(name, "table", statement)
    for name, select in _VIEWS.items():
        view = f"{quoted(GOLD)}.{quoted(name)}"
        yield LiveObject(name, "view", f"CREATE OR REPLACE VIEW {view} AS{select.format(gold=quoted(GOLD)).rstrip()}")


def create(client: Client) -> list[LiveObject]:
    """Makes all of them, or anew where a contract changed. Raises NotLive."""
    made = list(live_objects())
    _require(client)
    for each in made:
        _told(client, each.statement)
    return made


def drop(client: Client) -> list[str]:
    """Removes what of them is there, views first; their names. The database itself is not touched."""
    there = existing(client)
    for each in reversed(list(live_objects())):
        if each.name in there:
            _told(client, f"DROP {each.kind.upper()} {quoted(GOLD)}.{quoted(each.name)} SYNC")
    return there


def columns(table: Table) -> dict[str, str]:
    """ClickHouse types of the columns that are shown: those that live and are not personal."""
    shown = [c for c in table.live_columns if not c.pii]
    kinds = iceberg_types(pa.schema(fields(shown)))
    return {c.name: column_type(kinds[c.name], c.nullable) for c in shown}


def existing(client: Client) -> list[str]:
    """The names of those that are there."""
    names = [each.name for each in live_objects()]
    found = client.query(
        "SELECT name FROM system.tables WHERE database = {database:String} AND name IN {names:Array(String)}",
        parameters={"database": GOLD, "names": names},
    )
    return sorted(name for (name,) in found.result_rows)


def _require(client: Client) -> None:
    wanted = sorted({t.source.name for t in tables() if t.source.connector == "mysql"})
    held = {name for (name,) in client.query("SELECT name FROM system.named_collections").result_rows}
    if missing := [name for name in wanted if name not in held]:
        raise NotLive(
            f"ClickHouse has no named collection {', '.join(missing)}: its configuration says where the live"
            " database is and who may read it (deploy/clickhouse/config.d)"
        )
    there = client.query(
        "SELECT count() FROM system.tables WHERE database = {database:String} AND name = {name:String}",
        parameters={"database": GOLD, "name": LIFETIME_MART},
    )
    if not there.result_rows[0][0]:
        raise NotLive(f"gold.{LIFETIME_MART} is not published yet: run `lakehouse materialize` first")


def _told(client: Client, statement: str) -> None:
    try:
        client.command(statement)
    except ClickHouseError as error:
        raise NotLive(f"ClickHouse: {' '.join(str(error).split())[:300]}") from None
