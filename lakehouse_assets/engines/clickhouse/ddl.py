"""The ClickHouse table of a mart: Iceberg's columns under the engine, order and months that its model declares.

Pure: it makes text. Where it stops: loading and swapping are `publish`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyiceberg import types as iceberg
from pyiceberg.schema import Schema

from lakehouse_assets.engines.clickhouse.sql import literal, quoted
from lakehouse_assets.mendable import Mendable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENGINE = re.compile(r"(MergeTree|ReplacingMergeTree|SummingMergeTree)(?:\(\s*([A-Za-z_][A-Za-z0-9_]*)?\s*\))?")
_MONTH = re.compile(r"toYYYYMM\(\s*([A-Za-z_][A-Za-z0-9_]*)\s*\)")

# Without time of day: ClickHouse 26.9 reads Iceberg's as whole seconds, and a fraction would be lost without a word.
_TYPES: dict[type[iceberg.IcebergType], str] = {
    iceberg.StringType: "String",
    iceberg.LongType: "Int64",
    iceberg.IntegerType: "Int32",
    iceberg.DoubleType: "Float64",
    iceberg.FloatType: "Float32",
    iceberg.BooleanType: "Bool",
    iceberg.BinaryType: "String",
    iceberg.DateType: "Date32",
    iceberg.TimestamptzType: "DateTime64(6, 'UTC')",
    iceberg.TimestampType: "DateTime64(6)",
}


class InvalidTarget(Mendable):
    """A model's `meta.clickhouse` names an engine, a column or a partitioning that is not allowed or not there."""


@dataclass(frozen=True)
class GoldTable:
    """`engine` is e.g. `ReplacingMergeTree(updated_at)`; `month_of` is the column whose month is the partition."""

    name: str
    order_by: tuple[str, ...]
    engine: str = "MergeTree"
    month_of: str | None = None

    def __post_init__(self) -> None:
        for name in (self.name, *self.order_by, *([self.month_of] if self.month_of else [])):
            if not _NAME.fullmatch(name):
                raise InvalidTarget(f"{name!r} is not a name")
        if not self.order_by:
            raise InvalidTarget(f"{self.name} needs order_by")
        if not _ENGINE.fullmatch(self.engine):
            raise InvalidTarget(f"{self.name}: engine {self.engine!r} is not MergeTree or ReplacingMergeTree(version)")

    @property
    def key_columns(self) -> frozenset[str]:
        """Columns that ClickHouse wants without nulls: the order, the month and the version."""
        version = _engine(self.engine)[1]
        return frozenset({*self.order_by, *filter(None, (self.month_of, version))})


def gold_table(name: str, meta: Mapping[str, Any]) -> GoldTable:
    """A target from `{engine, order_by: [..], partition_by: "toYYYYMM(column)" or null}`. Raises InvalidTarget."""
    partition_by = meta.get("partition_by")
    month = _MONTH.fullmatch(partition_by) if partition_by else None
    if partition_by and month is None:
        raise InvalidTarget(f"{name}: partition_by {partition_by!r} is not toYYYYMM(column)")
    return GoldTable(
        name=name,
        order_by=tuple(meta.get("order_by") or ()),
        engine=meta.get("engine", "MergeTree"),
        month_of=month.group(1) if month else None,
    )


def columns(target: GoldTable, schema: Schema) -> dict[str, str]:
    """ClickHouse types by column, in the mart's order. Raises InvalidTarget."""
    missing = target.key_columns - {f.name for f in schema.fields}
    if missing:
        raise InvalidTarget(f"{target.name} has no column {', '.join(sorted(missing))}")
    return {f.name: _column_type(target, f) for f in schema.fields}


def create_table(database: str, target: GoldTable, schema: Schema, comment: str = "") -> str:
    """The CREATE TABLE statement of `database`.`target`. Raises InvalidTarget."""
    listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns(target, schema).items())
    kind, version = _engine(target.engine)
    partition = f" PARTITION BY toYYYYMM({quoted(target.month_of)})" if target.month_of else ""
    return (
        f"CREATE TABLE {quoted(database)}.{quoted(target.name)} ({listed})"
        f" ENGINE = {kind}({quoted(version) if version else ''}){partition}"
        f" ORDER BY ({', '.join(quoted(c) for c in target.order_by)})"
        f" COMMENT {literal(comment)}"
    )


def create_mysql_table(database: str, name: str, columns: Mapping[str, str], collection: str, remote: str) -> str:
    """The statement of a table that reads `remote` of the MySQL database that a named collection leads to.

    `columns` are ClickHouse types by name, any of the remote's; they are what can be read.
    """
    listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
    return (
        f"CREATE OR REPLACE TABLE {quoted(database)}.{quoted(name)} ({listed})"
        f" ENGINE = MySQL({quoted(collection)}, table = {literal(remote)})"
    )


def column_type(kind: iceberg.IcebergType, nullable: bool) -> str:
    """The ClickHouse type of an Iceberg one; a list is never null, its elements may be. Raises InvalidTarget."""
    match kind:
        case iceberg.DecimalType():
            plain = f"Decimal({kind.precision}, {kind.scale})"
        case iceberg.ListType():
            return f"Array({column_type(kind.element_type, not kind.element_required)})"
        case _ if type(kind) in _TYPES:
            plain = _TYPES[type(kind)]
        case _:
            raise InvalidTarget(f"{kind} has no ClickHouse column")
    return f"Nullable({plain})" if nullable else plain


def _engine(text: str) -> tuple[str, str | None]:
    found = _ENGINE.fullmatch(text)
    return (found.group(1), found.group(2)) if found else ("MergeTree", None)


def _column_type(target: GoldTable, field: iceberg.NestedField) -> str:
    try:
        return column_type(field.field_type, not field.required and field.name not in target.key_columns)
    except InvalidTarget as error:
        raise InvalidTarget(f"{target.name}.{field.name}: {error}") from None
