"""Contract types in Arrow's words, from which Iceberg's follow.

Where it stops: which columns a layer adds to a contract's is that layer's `schema.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from lakehouse_assets.contracts.table import Column
from lakehouse_assets.contracts.types import LogicalType

TIMESTAMPTZ = pa.timestamp("us", tz="UTC")

_ARROW: dict[str, pa.DataType] = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "unsigned_bigint": pa.decimal128(20, 0),
    "real": pa.float32(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamptz": TIMESTAMPTZ,
    "timestamp": TIMESTAMPTZ,
    "datetime": pa.timestamp("us"),
    "duration": pa.int64(),
    "bytes": pa.binary(),
}


def arrow_type(logical: LogicalType) -> pa.DataType:
    """The Arrow type of a logical type; what is not listed is a string."""
    match logical.kind:
        case "decimal":
            return pa.decimal128(logical.precision or 0, logical.scale or 0)
        case "array" if logical.element is not None:
            return pa.list_(arrow_type(logical.element))
        case kind:
            return _ARROW.get(kind, pa.string())


def field(name: str, kind: pa.DataType, doc: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable, metadata={"doc": doc})


def fields(columns: Iterable[Column], required: Iterable[str] = ()) -> list[pa.Field]:
    """Contract columns as Arrow fields; only those named are required."""
    wanted = set(required)
    return [field(c.name, arrow_type(c.type), c.description, c.name not in wanted) for c in columns]
