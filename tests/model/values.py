"""From a raw value to a Python value: exact, or `NotCastable`. Nothing is rounded and nothing is guessed."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from .tables import Column

ValueEncoding = Literal["string", "default", "csv"]

UNAVAILABLE = "__debezium_unavailable_value"
_EPOCH = datetime(1970, 1, 1)
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}Z?")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?")


class NotCastable(ValueError):
    """A value that is not one of its column's type."""


def decode(column: Column, raw: Any, encoding: ValueEncoding) -> Any:
    """The value of one column.

    "string": Debezium with decimal strings and isostring times, and plain JSON events. "default": Debezium's default
    modes. "csv": text; an empty field is an empty text and no value of any other type.
    A decimal must fit precision and scale, an int its 32 or 64 bits. `None` stays None.
    """
    if raw is None:
        return None
    match column.kind:
        case "text":
            return _text(raw)
        case "int" | "bigint":
            return _integer(raw, 31 if column.kind == "int" else 63)
        case "bool":
            return _bool(raw)
        case "decimal":
            return _decimal(column, raw, encoding)
        case "date":
            return _date(raw, encoding)
        case "datetime":
            return _datetime(raw, encoding)
        case "instant":
            return _instant(raw)


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise NotCastable(f"{raw!r} is not text")
    return raw


def _integer(raw: Any, bits: int) -> int:
    if isinstance(raw, str) and _INTEGER.fullmatch(raw):
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool) or not -(1 << bits) <= raw < (1 << bits):
        raise NotCastable(f"{raw!r} is not an integer of {bits + 1} bits")
    return raw


def _bool(raw: Any) -> bool:
    if isinstance(raw, bool) or (isinstance(raw, int) and raw in (0, 1)):
        return bool(raw)
    raise NotCastable(f"{raw!r} is neither true nor false")


def _decimal(column: Column, raw: Any, encoding: ValueEncoding) -> Decimal:
    if encoding == "default":
        value = _unscaled(raw).scaleb(-column.scale)
    elif isinstance(raw, str) and _NUMBER.fullmatch(raw):
        value = Decimal(raw)
    else:
        raise NotCastable(f"{raw!r} is not a decimal")
    try:
        fitted = value.quantize(Decimal(1).scaleb(-column.scale))
    except InvalidOperation as error:
        raise NotCastable(f"{raw!r} has too many digits") from error
    if fitted != value or abs(fitted) >= Decimal(10) ** (column.precision - column.scale):
        raise NotCastable(f"{raw!r} is not a decimal({column.precision},{column.scale})")
    return fitted


def _unscaled(raw: Any) -> Decimal:
    """Debezium's default: base64 of the unscaled integer, big-endian two's complement."""
    try:
        return Decimal(int.from_bytes(base64.b64decode(_text(raw), validate=True), "big", signed=True))
    except binascii.Error as error:
        raise NotCastable(f"{raw!r} is not base64") from error


def _date(raw: Any, encoding: ValueEncoding) -> date:
    try:
        if encoding == "default":
            return (_EPOCH + timedelta(days=_integer(raw, 31))).date()
        if isinstance(raw, str) and _DATE.fullmatch(raw):
            return date.fromisoformat(raw.removesuffix("Z"))
    except (ValueError, OverflowError) as error:
        raise NotCastable(f"{raw!r} is not a date") from error
    raise NotCastable(f"{raw!r} is not a date")


def _datetime(raw: Any, encoding: ValueEncoding) -> datetime:
    """Without zone. Default: milliseconds since 1970 up to precision 3. Isostring ends in a Z that means nothing."""
    if encoding != "default":
        return _instant(raw).replace(tzinfo=None)
    try:
        return _EPOCH + timedelta(milliseconds=_integer(raw, 63))
    except OverflowError as error:
        raise NotCastable(f"{raw!r} is not a datetime") from error


def _instant(raw: Any) -> datetime:
    """ISO 8601 in UTC; a text without zone is UTC already."""
    if not isinstance(raw, str) or not _MOMENT.fullmatch(raw):
        raise NotCastable(f"{raw!r} is not an ISO 8601 timestamp")
    try:
        moment = datetime.fromisoformat(raw)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise NotCastable(f"{raw!r} is not a timestamp") from error
