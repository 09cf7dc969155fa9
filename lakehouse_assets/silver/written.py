"""How the values of a batch of bronze rows are written: as the contract's source says, or as the schema says that came
with a row.

A topic has few schemas, so that each is read once a batch and the typing of a column has as many cases as ways to write
it: one, as a rule. Where it stops: reading a value is `engines/debezium/decoding`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.debezium.encodings import Encoding, declared, embedded

Way = Mapping[str, Encoding]
"""The encoding of each live column."""


def as_declared(table: Table) -> Way:
    return {c.name: declared(c.type, table.source) for c in table.live_columns}


def ways(conn: duckdb.DuckDBPyConnection, table: Table) -> list[Way]:
    """`bronze_rows` -> `written` (data_schema, way): a place in the answer, the first for rows without a schema."""
    found = conn.execute("select distinct data_schema from bronze_rows where data_schema is not null").fetchall()
    schemas = {text: _way(table, json.loads(text)) for (text,) in found}
    told = list({tuple(way.items()): way for way in schemas.values()}.values())
    numbers = [told.index(way) + 1 for way in schemas.values()]
    columns = {"data_schema": pa.array(list(schemas), pa.string()), "way": pa.array(numbers, pa.int32())}
    conn.register("written", pa.table(columns))
    return [as_declared(table), *told]


def _way(table: Table, fields: list[dict[str, Any]]) -> Way:
    """A column that the schema does not have is as declared: the row has no value of it."""
    described = {field["field"]: field for field in fields}
    way = {}
    for column in table.live_columns:
        field = next((described[name] for name in (column.name, *column.earlier_names) if name in described), None)
        otherwise = declared(column.type, table.source)
        way[column.name] = embedded(field, otherwise) if field else otherwise
    return way
