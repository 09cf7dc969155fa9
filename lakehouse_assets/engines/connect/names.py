"""How a source's connector and what belongs to it are called, in Connect and in the database.

Where it stops: topics are named by the contracts.
"""

from __future__ import annotations

from lakehouse_assets.contracts.table import Source, Table

SCHEMA = "debezium"
"""The schema (in MySQL the database) of the tables that the connector itself needs."""


def slot(source: Source) -> str:
    """The replication slot and the publication."""
    return f"lakehouse_{source.name}"


def heartbeat(source: Source) -> str:
    return f"{SCHEMA}.{source.name}_heartbeat"


def heartbeat_topic(source: Source) -> str:
    """Where the connector tells that it lives, changes or not. Raises ValueError like `topic_prefix`."""
    return f"__debezium-heartbeat.{topic_prefix(source)}"


def signals(source: Source) -> str:
    return f"{SCHEMA}.{source.name}_signals"


def password_variable(source: Source) -> str:
    """The variable of Connect's own environment that holds the connector's password."""
    return f"DATABASE_PASSWORD_{source.name.upper()}"


def in_database(table: Table) -> str:
    """`public.users` of PostgreSQL, `shop.users` of MySQL."""
    return f"{_space(table.source)}.{table.name}"


def topic_prefix(source: Source) -> str:
    """Raises ValueError where no connector could write the topics that the contract names."""
    ending = f".{_space(source)}.{{table}}"
    prefix = source.topic.removesuffix(ending)
    if prefix == source.topic or not prefix or "{" in prefix:
        raise ValueError(f"source {source.name}: its topics must be named '<prefix>{ending}', not {source.topic!r}")
    return prefix


def _space(source: Source) -> str:
    found = source.schema if source.connector == "postgresql" else source.database
    if not found:
        raise ValueError(
            f"source {source.name}: its contract names no {'schema' if source.schema is None else 'database'}"
        )
    return found
