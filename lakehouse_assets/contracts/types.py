"""The logical types of contracts: the source's own words, with the source's precision.

Where they stop: how a type looks in Iceberg, DuckDB, ClickHouse or a Debezium event is the engines' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text", "varchar", "char", "uuid", "json", "bits",
    "int", "bigint", "unsigned_bigint", "decimal", "numeric", "real", "double", "bool",
    "date", "time", "timestamptz", "timestamp", "datetime", "interval", "duration", "bytes", "array",
]  # fmt: skip

MAX_DECIMAL_PRECISION = 38


@dataclass(frozen=True)
class LogicalType:
    """One type, e.g. `decimal(15, 2)`; `str()` gives that text.

    `precision` is decimal digits for `decimal`, fractional seconds for the time types, `length` characters for
    `varchar` and `char`, and bits. `timestamp` is MySQL's (an instant, stored in UTC); `datetime` has no time zone.
    """

    kind: Kind
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    element: LogicalType | None = None

    def __post_init__(self) -> None:
        if self.kind == "decimal":
            if self.precision is None or not 1 <= self.precision <= MAX_DECIMAL_PRECISION:
                raise ValueError(f"decimal needs a precision of 1 to {MAX_DECIMAL_PRECISION}, got {self.precision}")
            if self.scale is None or not 0 <= self.scale <= self.precision:
                raise ValueError(f"decimal({self.precision}) needs a scale of 0 to {self.precision}, got {self.scale}")
        if self.kind in ("time", "timestamptz", "timestamp", "datetime") and self.precision not in range(7):
            raise ValueError(f"{self.kind} needs a precision of 0 to 6, got {self.precision}")
        if self.kind in ("varchar", "char", "bits") and (self.length is None or self.length < 1):
            raise ValueError(f"{self.kind} needs a length of at least 1, got {self.length}")
        if (self.kind == "array") != (self.element is not None):
            raise ValueError("an array, and only an array, has an element type")

    def __str__(self) -> str:
        arguments = [str(a) for a in (self.element, self.length, self.precision, self.scale) if a is not None]
        return f"{self.kind}({','.join(arguments)})" if arguments else self.kind


text = LogicalType("text")
uuid = LogicalType("uuid")
json = LogicalType("json")
integer = LogicalType("int")
bigint = LogicalType("bigint")
unsigned_bigint = LogicalType("unsigned_bigint")
real = LogicalType("real")
double = LogicalType("double")
boolean = LogicalType("bool")
date = LogicalType("date")
interval = LogicalType("interval")
"""PostgreSQL's `interval` as ISO 8601 text, for the connector's `interval.handling.mode=string`."""
duration = LogicalType("duration")
"""Microseconds: MySQL's `TIME`, which can be negative and longer than a day."""
binary = LogicalType("bytes")


def varchar(length: int) -> LogicalType:
    return LogicalType("varchar", length=length)


def char(length: int) -> LogicalType:
    return LogicalType("char", length=length)


def bits(length: int) -> LogicalType:
    """`BIT(n)` of more than one bit as text of 0 and 1, the highest bit first; a single bit is `boolean`."""
    return LogicalType("bits", length=length)


def decimal(precision: int, scale: int) -> LogicalType:
    return LogicalType("decimal", precision=precision, scale=scale)


def numeric(scale: int | None = None) -> LogicalType:
    """Decimal text of any length, for more than 38 digits or, as PostgreSQL's own `numeric`, without a scale; NaN and
    infinities too."""
    return LogicalType("numeric", scale=scale)


def time(precision: int = 6) -> LogicalType:
    """PostgreSQL's `time`: a time of day without a time zone."""
    return LogicalType("time", precision=precision)


def timestamptz(precision: int = 6) -> LogicalType:
    """PostgreSQL's `timestamp with time zone`."""
    return LogicalType("timestamptz", precision=precision)


def timestamp(precision: int = 0) -> LogicalType:
    """MySQL's `TIMESTAMP`: an instant."""
    return LogicalType("timestamp", precision=precision)


def datetime(precision: int = 0) -> LogicalType:
    """MySQL's `DATETIME`: a wall clock without a time zone."""
    return LogicalType("datetime", precision=precision)


def array(element: LogicalType) -> LogicalType:
    return LogicalType("array", element=element)
