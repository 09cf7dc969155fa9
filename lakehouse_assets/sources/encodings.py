"""How Debezium writes a value into JSON, for each of its decimal and time modes.

Where it stops: reading is the engines' business, and shares no code with this, so that each can prove the other wrong.
"""

from __future__ import annotations

import base64
import math
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from lakehouse_assets.contracts.table import Source
from lakehouse_assets.contracts.types import Kind, LogicalType
from lakehouse_assets.sources.values import Value

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZEROS: dict[Kind, Value] = {
    **dict.fromkeys(("int", "bigint", "unsigned_bigint", "real", "double"), 0),
    **dict.fromkeys(("timestamptz", "timestamp"), _EPOCH),
    "numeric": Decimal(0),
    "bool": False,
    "date": _EPOCH.date(),
    "datetime": _EPOCH.replace(tzinfo=None),
    "time": time(),
    "duration": timedelta(),
    "interval": "P0Y0M0DT0H0M0S",
    "bytes": b"",
    "array": [],
}
_SPECIAL = {"NaN": "NAN", "Infinity": "POSITIVE_INFINITY", "-Infinity": "NEGATIVE_INFINITY"}


def encode(value: object, kind: LogicalType, source: Source) -> Json:
    """One value as the source's connector was told to write it. Raises TypeError for what no type has."""
    match value:
        case str() if kind.kind == "bits":
            octets = int(value, 2).to_bytes(-(-len(value) // 8), "little").rstrip(b"\0")
            return base64.b64encode(octets).decode()
        case None | str():
            return value
        case int() | float() | Decimal():
            return _number(value, kind, source)
        case uuid.UUID():
            return str(value)
        case bytes():
            return value.hex() if source.binary == "hex" else base64.b64encode(value).decode()
        case date() | time() | timedelta():
            return _time(value, kind, source)
        case list():
            return [encode(element, kind.element or kind, source) for element in value]
    raise TypeError(f"{type(value).__name__} is not a value of {kind}")


def zero(kind: LogicalType) -> Value:
    """What PostgreSQL's connector shows for a not-null column that it was not told: the type's zero."""
    if kind.kind == "decimal":
        return Decimal(0).scaleb(-(kind.scale or 0))
    return "0" * (kind.length or 1) if kind.kind == "bits" else _ZEROS.get(kind.kind, "")


def _number(value: float | Decimal, kind: LogicalType, source: Source) -> Json:
    match value:
        case bool():
            return int(value) if source.connector == "mysql" else value
        case int() if kind.kind == "unsigned_bigint" and source.unsigned == "precise":
            return _unscaled(value)
        case Decimal():
            return _decimal(value, kind, source)
        case float() if not math.isfinite(value):
            return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return value


def _decimal(value: Decimal, kind: LogicalType, source: Source) -> Json:
    if not value.is_finite():
        return str(value) if source.decimal == "double" else _SPECIAL[str(value)]
    if source.decimal == "string":
        return f"{value:f}"
    if source.decimal == "double":
        return float(value)
    sign, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0) if kind.kind == "numeric" else kind.scale or 0
    # Decimal's own arithmetic rounds to 28 digits.
    text = _unscaled(int(Decimal((sign, digits, int(exponent) + scale))))
    return {"scale": scale, "value": text} if kind.kind == "numeric" else text


def _unscaled(number: int) -> str:
    return base64.b64encode(number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)).decode()


def _time(value: date | time | timedelta, kind: LogicalType, source: Source) -> Json:
    match value:
        case datetime():
            return _moment(value, kind, source)
        case date():
            return f"{value.isoformat()}Z" if source.time == "isostring" else (value - _EPOCH.date()).days
        case time():
            since = datetime.combine(_EPOCH, value, UTC) - _EPOCH
            return _count(since, kind, source, value.isoformat())
        case timedelta():
            return _count(value, kind, source, (_EPOCH + value).time().isoformat())


def _moment(value: datetime, kind: LogicalType, source: Source) -> Json:
    """An instant is always ISO text; a wall clock with `isostring` only, and then ends in Z as well."""
    at = value if value.tzinfo else value.replace(tzinfo=UTC)
    fraction = f"{at.microsecond:06d}"[: kind.precision or 0]
    if at == _EPOCH or kind.kind == "datetime":
        fraction = fraction.rstrip("0")
    second = at.replace(microsecond=0, tzinfo=None).isoformat()
    text = f"{second}.{fraction}" if fraction else second
    return _count(at - _EPOCH, kind, source, text) if kind.kind == "datetime" else f"{text}Z"


def _count(since: timedelta, kind: LogicalType, source: Source, text: str) -> Json:
    """A time without a zone: a count since 1970 or midnight in the mode's unit, or text that ends in Z."""
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    match source.time:
        case "isostring":
            return f"{text}Z"
        case "nanoseconds":
            return microseconds * 1000
        case "connect":
            return microseconds // 1000
        case "adaptive_time_microseconds" if kind.kind != "datetime":
            return microseconds
        case "adaptive" | "adaptive_time_microseconds" if kind.kind != "duration" and (kind.precision or 0) <= 3:
            return microseconds // 1000
    return microseconds
