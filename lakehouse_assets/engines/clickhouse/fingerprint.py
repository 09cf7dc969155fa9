"""Whether a loaded table holds what its mart holds: rows, and the sum of each numeric column.

The mart's side is DuckDB over the files that Iceberg names, so that one reader checks the other.
Where it stops: text and dates are covered by the count alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client
from pyiceberg import types as iceberg
from pyiceberg.expressions import AlwaysFalse, And, BooleanExpression, GreaterThanOrEqual, LessThan, Or
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from lakehouse_assets.engines.clickhouse import sql
from lakehouse_assets.engines.duckdb import session
from lakehouse_assets.engines.iceberg.scan import data_files

_EXACT = (iceberg.IntegerType, iceberg.LongType, iceberg.DecimalType)
_FLOATING = (iceberg.FloatType, iceberg.DoubleType)
_TOLERANCE = 1e-9  # two engines add floating numbers in different orders


@dataclass(frozen=True)
class Fingerprint:
    """`sums` are by column; None where a column holds no value."""

    rows: int
    sums: dict[str, Decimal | float | None]

    def differences(self, other: Fingerprint) -> list[str]:
        """What differs, in words; nothing where both are equal, floating sums within a billionth."""
        found = [f"rows {self.rows} and {other.rows}"] if self.rows != other.rows else []
        for name, ours in self.sums.items():
            theirs = other.sums.get(name)
            if not _equal(ours, theirs):
                found.append(f"sum of {name} {ours} and {theirs}")
        return found


def of_mart(table: Table, months: Collection[int] | None, month_of: str | None, memory_limit: str) -> Fingerprint:
    """Of the mart's rows, only those of the months (e.g. 202601) of column `month_of` unless `months` is None."""
    where, files = "", data_files(table)
    if months is not None and month_of is not None:
        column = session.quoted(month_of)
        where = f" where year({column}) * 100 + month({column}) in ({_listed(months)})"
        files = data_files(table, _within(table.schema(), month_of, months))
    sums = [_duckdb_sum(f) for f in _numeric(table.schema())]
    with session.connect(memory_limit, storage=table.io.properties) as conn:
        statement = f"select {', '.join(['count(*)', *sums])} from ({session.select(table, files)}){where}"
        rows = conn.execute(statement).fetchall()
    return _fingerprint(table.schema(), rows[0])


def of_loaded(client: Client, database: str, name: str, schema: Schema) -> Fingerprint:
    """Of a whole ClickHouse table."""
    sums = [_clickhouse_sum(f) for f in _numeric(schema)]
    statement = f"SELECT {', '.join(['count()', *sums])} FROM {sql.quoted(database)}.{sql.quoted(name)}"
    return _fingerprint(schema, client.query(statement).result_rows[0])


def _fingerprint(schema: Schema, row: Sequence[Any]) -> Fingerprint:
    sums: dict[str, Decimal | float | None] = {}
    for field, value in zip(_numeric(schema), row[1:], strict=True):
        floating = isinstance(field.field_type, _FLOATING)
        sums[field.name] = value if floating or value is None else Decimal(value)
    return Fingerprint(int(row[0]), sums)


def _numeric(schema: Schema) -> list[iceberg.NestedField]:
    return [f for f in schema.fields if isinstance(f.field_type, _EXACT + _FLOATING)]


# Exact sums travel as text: neither a 64-bit overflow nor a client's float may hide a difference.
def _duckdb_sum(field: iceberg.NestedField) -> str:
    column = session.quoted(field.name)
    return f"sum({column})" if isinstance(field.field_type, _FLOATING) else f"sum({column})::varchar"


def _clickhouse_sum(field: iceberg.NestedField) -> str:
    column = sql.quoted(field.name)
    if isinstance(field.field_type, _FLOATING):
        return f"sumOrNull({column})"
    scale = field.field_type.scale if isinstance(field.field_type, iceberg.DecimalType) else 0
    return f"toString(sumOrNull(CAST({column} AS Nullable(Decimal(76, {scale})))))"


def _equal(ours: Decimal | float | None, theirs: Decimal | float | None) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=_TOLERANCE) or (math.isnan(ours) and math.isnan(theirs))
    return ours == theirs


def _listed(months: Collection[int]) -> str:
    return ", ".join(str(m) for m in sorted(months))


def _within(schema: Schema, column: str, months: Collection[int]) -> BooleanExpression:
    """A filter that prunes files; the rows are filtered by the engines."""
    match schema.find_type(column):
        case iceberg.TimestamptzType():
            suffix = "T00:00:00+00:00"
        case iceberg.TimestampType():
            suffix = "T00:00:00"
        case _:
            suffix = ""
    bounds: BooleanExpression = AlwaysFalse()
    for month in months:
        first = date(month // 100, month % 100, 1)
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        span = And(GreaterThanOrEqual(column, f"{first}{suffix}"), LessThan(column, f"{following}{suffix}"))
        bounds = Or(bounds, span)
    return bounds
