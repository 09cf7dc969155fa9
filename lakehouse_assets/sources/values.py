"""Values for every logical type: distinct ones for keys, plain ones, and awkward ones at the edges of the type.

Where it stops: values are Python's (Decimal, date, datetime, UUID, ...); how Debezium writes them is `encodings.py`'s.
"""

from __future__ import annotations

import hashlib
import math
import random
import string
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from lakehouse_assets.contracts.types import Kind, LogicalType

Value = (
    str | int | float | bool | Decimal | date | datetime | time | timedelta | uuid.UUID | bytes | list[object] | None
)

ODD_TEXTS = (
    "",
    "NULL",
    "null",
    "O'Brien",
    'the "quoted" one',
    "a,b;c\td",
    "two\nlines",
    "back\\slash",
    "Søren Ångström",
    "Ольга",
    "さくら 残高",
    "👩\N{ZERO WIDTH JOINER}👩 🎯",
    "עברית",
    "zero\N{ZERO WIDTH SPACE}width",
    "  spaces around  ",
    "00012",
    '{"json": true}',
    "1e5",
    "e\N{COMBINING ACUTE ACCENT}",
    "line\N{LINE SEPARATOR}separator",
    "||",
)
_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
_JSON_TEXTS = ('{"a": [1, null, "é"]}', "[]", "{}", '"text"', "12.50")
_TIMED = ("timestamptz", "timestamp", "datetime")


def nth(kind: LogicalType, name: str, n: int) -> Value:
    """The n-th value of a key or of a unique column: distinct for each n, the same in every run."""
    match kind.kind:
        case "int" | "bigint" | "unsigned_bigint":
            return 1000 + n
        case "decimal":
            return Decimal(n).scaleb(-(kind.scale or 0))
        case "double":
            return float(n)
        case "uuid":
            return uuid.UUID(bytes=hashlib.md5(f"{name}/{n}".encode(), usedforsecurity=False).digest(), version=4)
        case "date":
            return (_EPOCH + timedelta(days=n)).date()
        case "timestamptz" | "timestamp" | "datetime":
            return _in_kind(kind, _EPOCH + timedelta(seconds=n))
        case "text" | "varchar" | "char":
            return f"{name}-{n}" if kind.length is None else f"{name}-{n}"[-kind.length :]
    raise ValueError(f"{name}: a {kind} is not for keys")


def plain(kind: LogicalType, numbers: random.Random) -> Value:
    """An everyday value."""
    return _PLAIN[kind.kind](kind, numbers)


def awkward(kind: LogicalType, numbers: random.Random) -> Value:
    """A value at an edge of the type; a plain one where the type has no edges."""
    choices = _edges(kind)
    return numbers.choice(choices) if choices else plain(kind, numbers)


def _edges(kind: LogicalType) -> tuple[Value, ...]:
    if kind.kind == "decimal":
        unit = Decimal(1).scaleb(-(kind.scale or 0))
        largest = Decimal(f"{'9' * (kind.precision or 1)}e-{kind.scale or 0}")
        return (largest, largest.copy_negate(), unit, -unit, 0 * unit)
    if kind.kind == "time":
        return (
            time(),
            time(23, 59, 59, 999999 // 10 ** (6 - (kind.precision or 0)) * 10 ** (6 - (kind.precision or 0))),
        )
    if kind.kind == "bits":
        length = kind.length or 1
        return ("0" * length, "1" * length, "1".rjust(length, "0"), "1".ljust(length, "0"))
    if kind.kind in _TIMED:
        first, last = _MOMENTS[kind.kind]
        return tuple(_in_kind(kind, moment) for moment in (first, last))
    if kind.kind in ("text", "varchar"):
        length = kind.length or 5000
        return (*(t[:length] for t in ODD_TEXTS), "x" * length, ("🎯é" * length)[:length])
    if kind.kind == "array" and kind.element is not None:
        return ([], list(_edges(kind.element)))
    return _EDGES.get(kind.kind, ())


def _in_kind(kind: LogicalType, moment: datetime) -> datetime:
    """The moment cut to the type's precision; without a time zone for `datetime`."""
    unit: int = 10 ** (6 - (kind.precision or 0))
    cut = moment.replace(microsecond=moment.microsecond // unit * unit)
    return cut.replace(tzinfo=None) if kind.kind == "datetime" else cut


def _moment(kind: LogicalType, numbers: random.Random) -> datetime:
    return _in_kind(kind, _EPOCH + timedelta(microseconds=numbers.randrange(365 * 86_400_000_000)))


def _amount(kind: LogicalType, numbers: random.Random) -> Decimal:
    digits = min(kind.precision or 1, 8)
    return Decimal(numbers.randrange(10**digits)).scaleb(-(kind.scale or 0))


def _characters(kind: LogicalType, numbers: random.Random) -> str:
    return "".join(numbers.choices(string.ascii_uppercase, k=kind.length or 1))


def _words(kind: LogicalType, numbers: random.Random) -> str:
    text = f"{numbers.choice(('blue', 'early', 'Zoë', 'plain'))} {numbers.randrange(10_000)}"
    return text[: kind.length] if kind.length else text


_PLAIN: dict[Kind, Callable[[LogicalType, random.Random], Value]] = {
    "text": _words,
    "varchar": _words,
    "char": _characters,
    "uuid": lambda _, numbers: uuid.UUID(int=numbers.getrandbits(128), version=4),
    "json": lambda _, numbers: numbers.choice(_JSON_TEXTS),
    "int": lambda _, numbers: numbers.randrange(1, 1000),
    "bigint": lambda _, numbers: numbers.randrange(1, 10**12),
    "unsigned_bigint": lambda _, numbers: numbers.randrange(1, 10**12),
    "decimal": _amount,
    "numeric": lambda _, numbers: Decimal(numbers.randrange(10**8)).scaleb(-numbers.randrange(5)),
    "real": lambda _, numbers: numbers.randrange(2**20) / 16,
    "double": lambda _, numbers: numbers.uniform(-1e6, 1e6),
    "bool": lambda _, numbers: numbers.random() < 0.5,
    "date": lambda _, numbers: (_EPOCH + timedelta(days=numbers.randrange(365))).date(),
    "time": lambda kind, numbers: _moment(kind, numbers).time(),
    "timestamptz": _moment,
    "timestamp": _moment,
    "datetime": _moment,
    "interval": lambda _, numbers: f"P0Y{numbers.randrange(12)}M{numbers.randrange(30)}DT1H0M0.5S",
    "duration": lambda _, numbers: timedelta(seconds=numbers.randrange(86_400)),
    "bits": lambda kind, numbers: f"{numbers.getrandbits(kind.length or 1):0{kind.length or 1}b}",
    "bytes": lambda _, numbers: numbers.randbytes(8),
    "array": lambda kind, numbers: [plain(kind.element or kind, numbers) for _ in range(numbers.randrange(3))],
}
_EDGES: dict[Kind, tuple[Value, ...]] = {
    "int": (0, -1, 2**31 - 1, -(2**31)),
    "bigint": (0, -1, 2**53 + 1, 2**63 - 1, -(2**63)),
    "unsigned_bigint": (0, 2**53 + 1, 2**63, 2**64 - 1),
    "numeric": (
        *(Decimal(text) for text in ("0", "-0.5", "1e-40", "NaN", "Infinity", "-Infinity")),
        *(Decimal(f"{sign}{'9' * 60}.{'1' * 20}") for sign in ("", "-")),
    ),
    "real": (0.0, 0.5, -(2.0**127), 2.0**-126, math.inf, -math.inf, math.nan),
    "double": (0.0, -0.0, 0.1, 1e308, -5e-324, math.inf, -math.inf, math.nan),
    "bool": (True, False),
    "date": (date(1969, 12, 31), date(1970, 1, 1), date(1900, 1, 1), date(2024, 2, 29), date(9999, 12, 31)),
    "char": (),
    "json": _JSON_TEXTS,
    "interval": ("P0Y0M0DT0H0M0S", "P-1Y-2M-3DT-4H-5M-6.7S", "P178000000Y0M0DT0H0M0S"),
    "duration": (timedelta(), timedelta(hours=23, minutes=59, seconds=59), timedelta(hours=1, milliseconds=1)),
    "bytes": (b"", b"\x00\xff\xfe"),
}
# MySQL's TIMESTAMP is a 32-bit count of seconds; the others reach from before 1970 to the year 9999.
_MOMENTS: dict[Kind, tuple[datetime, datetime]] = {
    "timestamptz": (datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
    "timestamp": (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 7, 999999, UTC)),
    "datetime": (datetime(1901, 2, 3, 4, 5, 6, 7, UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
}
