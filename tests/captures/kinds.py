"""The logical type that a contract declares for each type of the recorded tables, and what SQL's text of a value means.

Written without the product's decoding. Where it stops: comparing is the tests', printing `types_document`'s.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from lakehouse_assets.contracts import types
from lakehouse_assets.contracts.types import LogicalType

from .columns import Column

UNFIT = "(not representable)"
"""Stands for a value that has no form in the lakehouse's type."""

_NAMED: dict[str, LogicalType] = {
    **dict.fromkeys(("smallint", "integer", "int", "tinyint", "tinyint unsigned", "tinyint(1)"), types.integer),
    **dict.fromkeys(("smallint unsigned", "mediumint", "mediumint unsigned", "year"), types.integer),
    **dict.fromkeys(("bigint", "int unsigned"), types.bigint),
    "bigint unsigned": types.unsigned_bigint,
    "numeric": types.numeric(),
    "decimal(65,30)": types.numeric(30),
    "money": types.decimal(19, 2),
    **dict.fromkeys(("real", "float"), types.real),
    **dict.fromkeys(("double precision", "double", "double(10,3)"), types.double),
    **dict.fromkeys(("boolean", "bit"), types.boolean),
    "bit varying(20)": types.bits(20),
    **dict.fromkeys(("bytea", "binary(5)", "varbinary(80)", "blob"), types.binary),
    "date": types.date,
    **dict.fromkeys(("json", "jsonb", "hstore"), types.json),
    "uuid": types.uuid,
    "varchar(20) character set latin1": types.varchar(20),
}


_BY_NAME: dict[tuple[str, bool], Callable[..., LogicalType]] = {
    **{("decimal", postgres): types.decimal for postgres in (True, False)},
    **{("char", postgres): types.char for postgres in (True, False)},
    **{("varchar", postgres): types.varchar for postgres in (True, False)},
    **{("bit", postgres): types.bits for postgres in (True, False)},
    ("numeric", True): types.decimal,
    ("time", True): types.time,
    ("time", False): lambda *_: types.duration,
    ("timestamp", True): lambda precision=6: types.datetime(precision),
    ("timestamp", False): types.timestamp,
    ("timestamptz", True): types.timestamptz,
    ("datetime", False): types.datetime,
}
"""By the name before the parentheses and whether it is PostgreSQL's; called with the numbers in them."""


def logical(of: str, postgres: bool, iso_intervals: bool) -> LogicalType:
    """A contract's type of a column of the database's type; text where there is none nearer."""
    if of.endswith("[]"):
        return types.array(logical(of.removesuffix("[]"), postgres, iso_intervals))
    if of == "interval":
        return types.interval if iso_intervals else types.duration
    name, *arguments = re.findall(r"\w+", of)
    make = _BY_NAME.get((name, postgres), lambda *_: types.text)
    return _NAMED.get(of) or make(*(int(a) for a in arguments if a.isdigit()))


def meant(column: Column, kind: LogicalType, text: str | None) -> Any:
    """The value that SQL printed as `text`, as the lakehouse holds it, or UNFIT."""
    if text is None:
        return None
    try:
        return _meant(column, kind, text)
    except (ValueError, ArithmeticError):
        return UNFIT


def _meant(column: Column, kind: LogicalType, text: str) -> Any:
    if kind.element is not None:
        return [None if e is None else _meant(column, kind.element, e) for e in _elements(text)]
    if kind.kind in ("interval", "duration"):
        return _interval(kind, text)
    if kind.kind == "bits":
        return text.zfill(kind.length or 1)
    if column.type == "hstore":
        return dict(re.findall(r'"(\w+)"=>"?(\w+)"?', text))
    return _READERS.get(kind.kind, str)(text)


def _decimal(text: str) -> Any:
    value = Decimal(text.replace("$", "").replace(",", ""))
    return value if value.is_finite() else UNFIT


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("int", "bigint", "unsigned_bigint"), int),
    "decimal": _decimal,
    "numeric": lambda text: text.rstrip("0").rstrip(".") if "." in text else text,
    "real": lambda text: struct.unpack("f", struct.pack("f", float(text)))[0],
    "double": float,
    "bool": {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.__getitem__,
    "bytes": lambda text: bytes.fromhex(text.removeprefix("\\x")),
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "datetime": datetime.fromisoformat,
    **dict.fromkeys(("timestamptz", "timestamp"), _instant),
}


def _interval(kind: LogicalType, text: str) -> Any:
    """PostgreSQL's `1 year 2 mons -3 days +04:05:06.7`, MariaDB's `-838:59:59`."""
    parts = {unit: int(n) for n, unit in re.findall(r"([-+]?\d+) (year|mon|day)", text)}
    clock = re.search(r"([-+]?)(\d+):(\d+):(\d+(?:\.\d+)?)$", text)
    sign, hours, minutes, seconds = clock.groups() if clock else ("", "0", "0", "0")
    factor = -1 if sign == "-" else 1
    if kind.kind == "interval":
        shown = (Decimal(seconds) * factor).normalize()
        years, months, days = (parts.get(unit, 0) for unit in ("year", "mon", "day"))
        clocked = f"T{int(hours) * factor}H{int(minutes) * factor}M{shown + 0:f}S"
        return f"P{years}Y{months}M{days}D{clocked}"
    if parts.get("year") or parts.get("mon"):
        return UNFIT
    whole = timedelta(hours=int(hours), minutes=int(minutes), microseconds=int(Decimal(seconds) * 1_000_000))
    return (timedelta(days=parts.get("day", 0)) + whole * factor) // timedelta(microseconds=1)


def _elements(text: str) -> list[str | None]:
    """PostgreSQL's text of an array of one dimension."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}]+)', text)
    return [re.sub(r"\\(.)", r"\1", quoted) if not bare else None if bare == "NULL" else bare for quoted, bare in found]
