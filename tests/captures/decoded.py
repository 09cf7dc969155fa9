"""Recorded messages, landed and typed as the product does it, beside the values that SQL answered.

Where it stops: which outcome is right is the tests'.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from lakehouse_assets.bronze import decode
from lakehouse_assets.contracts import types
from lakehouse_assets.contracts.bank.source import SOURCE as BANK
from lakehouse_assets.contracts.shop.source import SOURCE as SHOP
from lakehouse_assets.contracts.table import Column as Declared
from lakehouse_assets.contracts.table import Source, Table
from lakehouse_assets.engines.debezium import placeholder
from lakehouse_assets.engines.duckdb.session import connect, quoted
from lakehouse_assets.engines.log.log import MESSAGES
from lakehouse_assets.silver.cast import typed, values_of
from lakehouse_assets.silver.written import ways

from . import mariadb_types, postgres_types
from .columns import Column
from .kinds import logical, meant
from .recorded import manifest, messages, truth

_COLUMNS = {"types_postgres": postgres_types.COLUMNS, "types_mariadb": mariadb_types.COLUMNS}
LANDED_AT = datetime(2026, 1, 1, tzinfo=UTC)


Verdict = Literal["same", "refused", "lost", "altered", "other"]

ALTERED: dict[str, tuple[str, str]] = {
    # What the column's type and SQL's text of the value begin with, or end with, and what the connector does to it.
    "a date before the Gregorian calendar is moved by MariaDB's snapshot": ("datetime", r"1582-10-10.*"),
    "connect cuts to milliseconds": ("datetime|time|timestamp", r".*\.\d*[1-9]\d{0,2}"),
    "a comma in an enumeration's value becomes `\\,` in MariaDB's stream": ("enum", r".*,.*"),
    "MariaDB's snapshot rounds a float to six digits": ("float", r".{8,}"),
    "a zero timestamp is 1970 in MariaDB's stream": ("timestamp", r"0000-00-00.*"),
    "a number of microseconds has 30.4375 days for a month": ("interval", r".*(mon|year).*"),
    "isostring makes 24:00 of a time 00:00": ("time", r"24:00:00"),
    "an address is written without the length of a single host": ("inet", r".*/(32|128)"),
    "a time of day with a zone is written in UTC, as ISO 8601": ("timetz", r".*"),
}


class Outcome(NamedTuple):
    """One value: `sql` is what SQL printed, `sent` the JSON value's text, `held` what the lakehouse has.

    `same` as SQL says, `refused` (a value came and none is held), `lost` (none came although SQL has one), `altered`
    (the connector sent another, see `ALTERED`), or `other`.
    """

    column: str
    sql: str | None
    sent: str | None
    held: Any
    verdict: Verdict


def declared_table(setting: Path, lying: bool = False) -> Table:
    """The contract of a recording's table under a setting; a `lying` one says other modes than the connector had."""
    postgres = setting.parent.name == "types_postgres"
    told = manifest(setting.parent)["settings"][setting.name]
    source = _source(BANK if postgres else SHOP, setting, told)
    if lying:
        other = {"string": "precise", "precise": "double", "double": "string"}[source.decimal]
        source = replace(source, decimal=other, time="connect" if source.time != "connect" else "isostring")  # type: ignore[arg-type]
    iso = source.interval == "string"
    columns = [Declared(c.name, logical(c.type, postgres, iso), c.type, nullable=True) for c in columns_of(setting)]
    return Table(source, "types", "Every type.", ("id",), (Declared("id", types.integer, "Key."), *columns))


@cache
def outcomes(setting: Path, lying: bool = False) -> tuple[Outcome, ...]:
    """Of each value in the end how it came through the last change of its key."""
    table = declared_table(setting, lying)
    held = {row["id"]: row for row in _typed(setting, table)}
    return tuple(
        _outcome(c, row[c.name], held[int(row["id"] or "")], meant(c, table.column(c.name).type, row[c.name]))
        for row in truth(setting.parent, "types")
        for c in columns_of(setting)
    )


def columns_of(setting: Path) -> list[Column]:
    return _COLUMNS[setting.parent.name]


def _outcome(column: Column, sql: str | None, row: dict[str, Any], expected: Any) -> Outcome:
    sent, held = row["sent"][column.name], row[column.name]
    if column.type == "hstore" and held is not None:
        same = {k: v or "NULL" for k, v in json.loads(held).items()} == expected
    else:
        same = _shown(held) == _shown(expected)
    verdict: Verdict = "other"
    if same:
        verdict = "same"
    elif held is None:
        verdict = "lost" if sent in (None, placeholder.TEXT) else "refused"
    elif alteration(column, sql or ""):
        verdict = "altered"
    return Outcome(column.name, sql, sent, held, verdict)


def alteration(column: Column, sql: str) -> str | None:
    """What the connector is known to do to such a value."""
    return next(
        (
            what
            for what, (of, text) in ALTERED.items()
            if re.match(rf"({of})\b", column.type) and re.fullmatch(text, sql)
        ),
        None,
    )


def _shown(value: Any) -> Any:
    return [_shown(v) for v in value] if isinstance(value, list) else repr(value) if isinstance(value, float) else value


def _typed(setting: Path, table: Table) -> list[dict[str, Any]]:
    """The last row of each key, with `sent`, the texts of its values."""
    topic = next(t for t in manifest(setting.parent)["messages"][setting.name] if t.endswith(".types"))
    told = [
        {
            "partition": m["partition"],
            "offset": m["offset"],
            "timestamp_ms": m["ts"],
            "key": m["key"] and m["key"].encode(),
            "value": m["payload"] and m["payload"].encode(),
        }
        for m in messages(setting, topic)
    ]
    with connect() as conn:
        landed = decode.rows(conn, table, pa.Table.from_pylist(told, schema=MESSAGES), LANDED_AT)
        assert landed.column("error").null_count == landed.num_rows
        conn.register("bronze_rows", landed)
        told_ways = ways(conn, table)
        columns = ", ".join(f"{typed(table, c, told_ways)} as {quoted(c.name)}" for c in table.columns)
        found = conn.sql(f"""
            with last as (
              select b.*, coalesce(w.way, 0) as _way, {values_of(table, "b.data")} as _told from bronze_rows b
              left join written w on w.data_schema = b.data_schema
              where op in ('c', 'u', 'r')
              qualify row_number() over (partition by data->>'id' order by partition, "offset" desc) = 1)
            select {columns}, _told as sent from last""")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def _source(like: Source, setting: Path, told: dict[str, str]) -> Source:
    return replace(
        like,
        decimal=told.get("decimal.handling.mode", "precise"),  # type: ignore[arg-type]
        time=told.get("time.precision.mode", "adaptive"),  # type: ignore[arg-type]
        interval=told.get("interval.handling.mode", "numeric"),  # type: ignore[arg-type]
        binary=told.get("binary.handling.mode", "bytes"),  # type: ignore[arg-type]
        unsigned=told.get("bigint.unsigned.handling.mode", "long"),  # type: ignore[arg-type]
        envelope="flat" if setting.name.startswith("flat") else "debezium",
    )
