"""How Debezium writes a value into JSON, for each of its decimal and time modes.

Where it stops: reading is the engines' business, and shares no code with this, so that each can prove the other wrong.
"""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

from lakehouse_assets.contracts.table import Source
from lakehouse_assets.contracts.types import LogicalType
from lakehouse_assets.sources.values import Value

Json = str | int | float | bool | list["Json"] | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode(value: object, kind: LogicalType, source: Source) -> Json:
    """One value as the source's connector was told to write it. Raises TypeError for what no type has."""
    match value:
        case None | str():
            return value
        case bool():
            return int(value) if source.connector == "mysql" else value
        case int() | float():
            return value
        case Decimal():
            return _decimal(value, kind, source)
        case uuid.UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return _moment(value, kind, source)
        case date():
            return f"{value.isoformat()}Z" if source.time == "isostring" else (value - _EPOCH.date()).days
        case list():
            return [encode(element, kind.element or kind, source) for element in value]
    raise TypeError(f"{type(value).__name__} is not a value of {kind}")


def zero(kind: LogicalType) -> Value:
    """What PostgreSQL's connector shows for a not-null column that it was not told: the type's zero."""
    match kind.kind:
        case "int" | "bigint" | "unsigned_bigint" | "double":
            return 0
        case "decimal":
            return Decimal(0).scaleb(-(kind.scale or 0))
        case "bool":
            return False
        case "date":
            return _EPOCH.date()
        case "timestamptz" | "timestamp":
            return _EPOCH
        case "datetime":
            return _EPOCH.replace(tzinfo=None)
        case "bytes":
            return b""
        case "array":
            return []
    return ""


def _decimal(value: Decimal, kind: LogicalType, source: Source) -> Json:
    if source.decimal == "string":
        return f"{value:f}"
    if source.decimal == "double":
        return float(value)
    sign, digits, exponent = value.as_tuple()
    # Decimal's own arithmetic rounds to 28 digits.
    unscaled = int(Decimal((sign, digits, int(exponent) + (kind.scale or 0))))
    return base64.b64encode(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)).decode()


def _moment(value: datetime, kind: LogicalType, source: Source) -> Json:
    """An instant is ISO text but for `connect`; a wall clock with `isostring` only, and then ends in Z as well."""
    at = value if value.tzinfo else value.replace(tzinfo=UTC)
    if source.time == "isostring" or (kind.kind != "datetime" and source.time != "connect"):
        fraction = f"{at.microsecond:06d}"[: kind.precision or 0]
        if at == _EPOCH or kind.kind == "datetime":
            fraction = fraction.rstrip("0")
        second = at.replace(microsecond=0, tzinfo=None).isoformat()
        return f"{second}.{fraction}Z" if fraction else f"{second}Z"
    since = at - _EPOCH
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return microseconds // 1000 if source.time == "connect" or (kind.precision or 0) <= 3 else microseconds
