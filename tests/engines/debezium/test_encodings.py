"""What Debezium wrote is decoded to the value that the database held, or to null; nothing is rounded or guessed."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts import types
from lakehouse_assets.contracts.bank.source import SOURCE as BANK
from lakehouse_assets.contracts.retail.source import SOURCE as RETAIL
from lakehouse_assets.contracts.shop.source import SOURCE as SHOP
from lakehouse_assets.contracts.table import Source
from lakehouse_assets.contracts.types import LogicalType
from lakehouse_assets.engines.debezium.decoding import decode
from lakehouse_assets.engines.debezium.encodings import declared
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.sources import values
from lakehouse_assets.sources.encodings import encode

CONN = connect()
DECIMALS = ("precise", "string", "double")
TIMES = ("adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds")
MODES = [
    replace(s, decimal=d, time=t, interval=i, unsigned=u)  # type: ignore[arg-type]
    for s in (BANK, SHOP)
    for t, d, i, u in zip(TIMES, DECIMALS * 2, ("numeric", "string") * 3, ("precise", "long", "long") * 2, strict=True)
]
"""Each value of each setting: no type's encoding depends on two of them."""
KINDS = [
    types.text,
    types.varchar(50),
    types.char(3),
    types.uuid,
    types.json,
    types.integer,
    types.bigint,
    types.unsigned_bigint,
    types.numeric(),
    types.real,
    types.double,
    types.boolean,
    types.date,
    types.binary,
    types.interval,
    types.duration,
    *(types.bits(n) for n in (2, 8, 9, 64, 100)),
    *(types.time(p) for p in (0, 3, 6)),
    *(types.decimal(p, s) for p, s in ((1, 0), (5, 5), (15, 2), (38, 0), (38, 10), (38, 38))),
    *(types.timestamptz(p) for p in (0, 3, 6)),
    *(types.timestamp(p) for p in (0, 3, 6)),
    *(types.datetime(p) for p in (0, 1, 3, 4, 6)),
    types.array(types.integer),
    types.array(types.text),
    types.array(types.decimal(10, 2)),
    types.array(types.numeric()),
    types.array(types.datetime(6)),
]
INSTANTS = ("timestamptz", "timestamp")


def _decoded(texts: list[str | None], kind: LogicalType, source: Source) -> list[Any]:
    """Through JSON, as a message's field comes."""
    rows = CONN.execute(
        f"select {decode(kind, declared(kind, source), 't')} from (select unnest($texts::varchar[]) as t)",
        {"texts": texts},
    ).fetchall()
    return [row[0] for row in rows]


def _sent(value: object, kind: LogicalType, source: Source) -> str | None:
    """The text of the JSON field, as DuckDB's `->>` gives it."""
    document = json.dumps({"v": encode(value, kind, source)})
    found = CONN.execute("select ?::json->>'v'", [document]).fetchall()
    text: str | None = found[0][0]
    return text


def _expected(value: Any, kind: LogicalType, source: Source) -> Any:
    """What is left of a value by the mode: `connect` knows milliseconds only. A numeric is text without its zeros."""
    cut = source.time == "connect"
    match value:
        case list():
            return [_expected(v, kind.element or kind, source) for v in value]
        case uuid.UUID():
            return str(value)
        case Decimal() if kind.kind == "numeric":
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case timedelta():
            microseconds = value // timedelta(microseconds=1)
            return microseconds // 1000 * 1000 if cut else microseconds
        case datetime() | time() if cut and kind.kind in ("datetime", "time"):
            return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def _representable(value: Any, kind: LogicalType, source: Source) -> bool:
    """Whether the mode holds the value.

    A double holds fifteen digits, and of any digits none for certain; `precise` has no NaN; a month is lost
    in a number of microseconds; nanoseconds in 64 bits reach from 1677 to 2262.
    """
    match value:
        case list():
            return all(_representable(v, kind.element or kind, source) for v in value)
        case Decimal() if source.decimal == "double":
            return not value.is_finite() if kind.kind == "numeric" else _digits(value, kind) <= 15
        case Decimal():
            return value.is_finite() or source.decimal == "string"
        case str() if kind.kind == "interval":
            return source.connector == "postgresql" and source.interval == "string"
        case timedelta():
            return source.connector == "mysql"
        case datetime() if kind.kind == "datetime" and source.time == "nanoseconds":
            return datetime(1678, 1, 1) < value < datetime(2262, 1, 1)
    return True


def _shown(value: Any) -> Any:
    """Equal where NaN is NaN and -0.0 is -0.0."""
    return [_shown(v) for v in value] if isinstance(value, list) else repr(value) if isinstance(value, float) else value


def _digits(value: Decimal, kind: LogicalType) -> int:
    return len(str(abs(int(value.scaleb(kind.scale or 0)))))


@pytest.mark.parametrize("source", MODES, ids=lambda s: f"{s.connector}-{s.decimal}-{s.time}")
def test_every_type_comes_back_as_the_database_held_it(source: Source) -> None:
    numbers = Random(7)
    for kind in KINDS:
        given_values = [values.awkward(kind, numbers) for _ in range(12)] + [
            values.plain(kind, numbers) for _ in range(6)
        ]
        held = [v for v in [None, *given_values] if _representable(v, kind, source)]
        found = _decoded([_sent(v, kind, source) for v in held], kind, source)
        assert _shown(found) == _shown([_expected(v, kind, source) for v in held]), str(kind)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_decimal_of_any_precision_comes_back_exactly(data: st.DataObject) -> None:
    precision = data.draw(st.integers(1, 38))
    scale = data.draw(st.integers(0, precision))
    kind = types.decimal(precision, scale)
    unscaled = data.draw(st.lists(st.integers(-(10**precision) + 1, 10**precision - 1), min_size=1, max_size=20))
    held = [Decimal(f"{n}e-{scale}") for n in unscaled]
    for mode in ("precise", "string"):
        source = replace(BANK, decimal=mode)
        assert _decoded([_sent(v, kind, source) for v in held], kind, source) == held


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)), min_size=1, max_size=20),
    st.sampled_from(MODES),
)
def test_any_moment_comes_back_to_the_microsecond_or_as_the_mode_has_it(
    moments: list[datetime], source: Source
) -> None:
    for kind in (types.timestamptz(6), types.datetime(6)):
        told = [m.replace(tzinfo=UTC) if kind.kind in INSTANTS else m for m in moments]
        held = [m for m in told if _representable(m, kind, source)]
        found = _decoded([_sent(v, kind, source) for v in held], kind, source)
        assert found == [_expected(v, kind, source) for v in held]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dates(), min_size=1, max_size=30), st.sampled_from(MODES))
def test_any_date_comes_back(days: list[date], source: Source) -> None:
    assert _decoded([_sent(day, types.date, source) for day in days], types.date, source) == days


PRECISE, DOUBLE = replace(BANK, decimal="precise"), replace(BANK, decimal="double")
ADAPTIVE, CONNECT = replace(SHOP, time="adaptive"), replace(SHOP, time="connect")
NANOS, NUMERIC = replace(SHOP, time="nanoseconds"), replace(BANK, interval="numeric")
STRINGS = replace(BANK, interval="string")


def _unscaled(number: int) -> str:
    text = encode(Decimal(number), types.decimal(38, 0), PRECISE)
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize(
    ("kind", "source", "texts"),
    [
        (types.integer, BANK, ["2147483648", "-2147483649", "1.0", "1.5", "1e3", "", " 1", "0x1", "1_0", "true"]),
        (types.bigint, BANK, ["9223372036854775808", "12345678901234567890123"]),
        (types.unsigned_bigint, SHOP, ["-1", "18446744073709551616"]),
        (types.double, BANK, ["1e400", "inf", "nan", "", "abc", "1_0"]),
        (types.double, RETAIL, ["1e400", "inf", "NaN", "Infinity"]),
        (types.numeric(), BANK, ["", "abc", "1e5", "nan", ".", "1."]),
        (types.numeric(), DOUBLE, ["1.5", "1.0E10", "0.1"]),
        (types.numeric(), PRECISE, ["AQ==", "@@", "{}", '{"scale": 1}', '{"scale": "x", "value": ""}', "{broken"]),
        (types.boolean, SHOP, ["2", "", "yes", "-1"]),
        (types.decimal(5, 2), BANK, ["1.005", "1000", "-1000.00", "NaN", "", ".", "-", "1e2", "1_0", "1,5", "0.001"]),
        (types.decimal(5, 2), RETAIL, ["1.005", "1000", "abc", "£1"]),
        (types.decimal(5, 2), PRECISE, [_unscaled(100000), _unscaled(-100000), _unscaled(2**126), "", "@@@", "1.5"]),
        (types.decimal(5, 2), PRECISE, ["f" * 24]),
        (types.decimal(20, 2), DOUBLE, ["1.2345678901234568E17", "1.0E13", "0.001"]),
        (types.decimal(5, 2), DOUBLE, ["1.005", "0.001", "1000", "1e300", "NaN", "Infinity", "x"]),
        (types.date, BANK, ["2024-02-30", "0000-00-00", "infinity", "epoch", "2024-1-5", "2024-01-05T10:00"]),
        (types.date, RETAIL, ["05/01/2024", "2024/01/05", " 2024-01-05", "today", "10000-01-01"]),
        (types.date, ADAPTIVE, ["2147483647", "-2147483648", "99999999999", "2024-01-05", "1.5", "2932897"]),
        (types.timestamptz(6), BANK, ["infinity", "epoch", "now", "2024-01-05", "2024-02-30T00:00:00Z", "1704412800"]),
        (types.timestamptz(6), BANK, ["2024-01-05T00:00:00.1234567Z", "10000-01-01T00:00:00Z", "+292278994-08-16T23Z"]),
        (types.timestamp(0), CONNECT, ["9223372036854775807", "1704412800000", "infinity"]),
        (types.time(6), ADAPTIVE, ["86400000000", "-1", "1.5", "", "12:00:00"]),
        (types.time(6), BANK, ["24:00:00Z", "12:60:00Z", "12:00:00+01:00", "838:59:59", "0"]),
        (types.time(6), NANOS, ["1", "86400000000000"]),
        (types.datetime(6), NANOS, ["1", "999"]),
        (types.interval, BANK, ["1 day", "P1Y", "3600000000", ""]),
        (types.interval, NUMERIC, ["3600000000", "P0Y0M0DT0H0M0S"]),
        (types.duration, STRINGS, ["P0Y1M0DT0H0M0S", "P1Y0M0DT0H0M0S", "1", "PT", ""]),
        (types.bits(4), BANK, ["Hw==", "@", "1111"]),
        (types.datetime(6), SHOP, ["infinity", "2024-13-01T00:00:00Z", "2024-01-05T00:00:00.0000001Z", ""]),
        (types.datetime(6), ADAPTIVE, ["9223372036854775807", "92233720368547758070", "1.5", "253402300800000000"]),
        (types.datetime(3), ADAPTIVE, ["9223372036854775807", "-9223372036854775808", "253402300800000"]),
        (types.uuid, BANK, ["abc", "", "11111111-1111-1111-1111-11111111111"]),
        (types.binary, BANK, ["@@@", "a"]),
        (types.array(types.integer), BANK, ["abc", "5", '["x"]', "[1, 1.5]", '{"a": 1}']),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_type_is_null_and_never_an_error_or_a_neighbour(
    kind: LogicalType, source: Source, texts: list[str]
) -> None:
    assert dict(zip(texts, _decoded(list(texts), kind, source), strict=True)) == dict.fromkeys(texts)


@pytest.mark.parametrize(
    ("kind", "source", "text", "value"),
    [
        (types.decimal(5, 2), BANK, "1.50000", Decimal("1.50")),
        (types.decimal(5, 2), BANK, "-.5", Decimal("-0.50")),
        (types.decimal(5, 2), RETAIL, "+7", Decimal("7.00")),
        (types.timestamptz(6), BANK, "2024-01-05T01:30:00+01:30", datetime(2024, 1, 5, tzinfo=UTC)),
        (types.timestamptz(6), BANK, "2024-01-05 00:00:00", datetime(2024, 1, 5, tzinfo=UTC)),
        (types.timestamptz(6), BANK, "2024-01-05T00:00:00.123456000Z", datetime(2024, 1, 5, 0, 0, 0, 123456, UTC)),
        (types.datetime(0), SHOP, "2024-01-05T00:00:00Z", datetime(2024, 1, 5)),
        (types.date, RETAIL, "2024-01-05", date(2024, 1, 5)),
        (types.array(types.integer), BANK, "[1, null]", [1, None]),
        (types.decimal(10, 4), PRECISE, '{"scale":2,"value":"ew=="}', Decimal("1.2300")),
        (types.numeric(), BANK, "1.50", "1.5"),
        (types.numeric(), BANK, "100", "100"),
        (types.duration, STRINGS, "P0Y0M-1DT-2H0M0.5S", -93_599_500_000),
        (types.time(0), BANK, "23:59:59Z", time(23, 59, 59)),
        (types.bits(9), BANK, "", "000000000"),
    ],
)
def test_other_ways_to_write_a_value_mean_the_same_value(
    kind: LogicalType, source: Source, text: str, value: object
) -> None:
    assert _decoded([text], kind, source) == [value]


def test_no_text_at_all_makes_a_statement_fail() -> None:
    odd = [*values.ODD_TEXTS, "9" * 400, "-" * 40, "[" * 300, "NaN", "\0", "=" * 24, "A" * 24, "AAAA", "/" * 24, None]
    for kind, encoding in {(kind, declared(kind, source)) for source in MODES for kind in KINDS}:
        typed = decode(kind, encoding, "t")
        try:
            found = CONN.execute(f"select {typed} from (select unnest(?::varchar[]) as t)", [odd]).fetchall()
        except duckdb.Error as error:
            pytest.fail(f"{kind} as {encoding}: {error}")
        assert len(found) == len(odd)
