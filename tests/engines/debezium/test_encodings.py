"""What Debezium wrote is decoded to the value that the database held, or to null; nothing is rounded or guessed."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
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
from lakehouse_assets.engines.debezium.encodings import decode
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.sources import values
from lakehouse_assets.sources.encodings import encode

CONN = connect()
DECIMALS = ("precise", "string", "double")
TIMES = ("adaptive", "adaptive_time_microseconds", "connect", "isostring")
MODES = [replace(s, decimal=d, time=t) for s in (BANK, SHOP) for d in DECIMALS for t in TIMES]  # type: ignore[arg-type]
KINDS = [
    types.text,
    types.varchar(50),
    types.char(3),
    types.uuid,
    types.json,
    types.integer,
    types.bigint,
    types.unsigned_bigint,
    types.double,
    types.boolean,
    types.date,
    types.binary,
    *(types.decimal(p, s) for p, s in ((1, 0), (5, 5), (15, 2), (38, 0), (38, 10), (38, 38))),
    *(types.timestamptz(p) for p in (0, 3, 6)),
    *(types.timestamp(p) for p in (0, 3, 6)),
    *(types.datetime(p) for p in (0, 1, 3, 4, 6)),
    types.array(types.integer),
    types.array(types.text),
    types.array(types.decimal(10, 2)),
]
INSTANTS = ("timestamptz", "timestamp")


def _decoded(texts: list[str | None], kind: LogicalType, source: Source) -> list[Any]:
    """Through JSON, as a message's field comes."""
    rows = CONN.execute(
        f"select {decode(kind, source, 't')} from (select unnest($texts::varchar[]) as t)", {"texts": texts}
    ).fetchall()
    return [row[0] for row in rows]


def _sent(value: object, kind: LogicalType, source: Source) -> str | None:
    """The text of the JSON field, as DuckDB's `->>` gives it."""
    document = json.dumps({"v": encode(value, kind, source)})
    found = CONN.execute("select ?::json->>'v'", [document]).fetchall()
    text: str | None = found[0][0]
    return text


def _expected(value: Any, kind: LogicalType, source: Source) -> Any:
    """What is left of a value by the mode: `connect` knows milliseconds only."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime) and source.time == "connect":
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def _representable(value: Any, kind: LogicalType, source: Source) -> bool:
    """A double holds fifteen digits; a decimal with more is not in the message any more."""
    if isinstance(value, list):
        return all(_representable(v, kind, source) for v in value)
    return not (isinstance(value, Decimal) and source.decimal == "double" and len(value.as_tuple().digits) > 15)


@pytest.mark.parametrize("source", MODES, ids=lambda s: f"{s.connector}-{s.decimal}-{s.time}")
def test_every_type_comes_back_as_the_database_held_it(source: Source) -> None:
    numbers = Random(7)
    for kind in KINDS:
        given_values = [values.awkward(kind, numbers) for _ in range(12)] + [
            values.plain(kind, numbers) for _ in range(6)
        ]
        held = [v for v in [None, *given_values] if _representable(v, kind, source)]
        found = _decoded([_sent(v, kind, source) for v in held], kind, source)
        assert found == [_expected(v, kind, source) for v in held], str(kind)


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
        held = [m.replace(tzinfo=UTC) if kind.kind in INSTANTS else m for m in moments]
        found = _decoded([_sent(v, kind, source) for v in held], kind, source)
        assert found == [_expected(v, kind, source) for v in held]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dates(), min_size=1, max_size=30), st.sampled_from(MODES))
def test_any_date_comes_back(days: list[date], source: Source) -> None:
    assert _decoded([_sent(day, types.date, source) for day in days], types.date, source) == days


PRECISE, DOUBLE = replace(BANK, decimal="precise"), replace(BANK, decimal="double")
ADAPTIVE, CONNECT = replace(SHOP, time="adaptive"), replace(SHOP, time="connect")


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
        (types.double, BANK, ["1e400", "inf", "NaN", "", "abc", "1_0"]),
        (types.boolean, SHOP, ["2", "", "yes", "-1"]),
        (types.decimal(5, 2), BANK, ["1.005", "1000", "-1000.00", "NaN", "", ".", "-", "1e2", "1_0", "1,5", "0.001"]),
        (types.decimal(5, 2), RETAIL, ["1.005", "1000", "abc", "£1"]),
        (types.decimal(5, 2), PRECISE, [_unscaled(100000), _unscaled(-100000), _unscaled(2**126), "", "@@@", "1.5"]),
        (types.decimal(5, 2), PRECISE, ["f" * 24]),
        (types.decimal(5, 2), DOUBLE, ["1.005", "0.001", "1000", "1e300", "NaN", "Infinity", "x"]),
        (types.date, BANK, ["2024-02-30", "0000-00-00", "infinity", "epoch", "2024-1-5", "2024-01-05T10:00"]),
        (types.date, RETAIL, ["05/01/2024", "2024/01/05", " 2024-01-05", "today", "10000-01-01"]),
        (types.date, ADAPTIVE, ["2147483647", "-2147483648", "99999999999", "2024-01-05", "1.5", "2932897"]),
        (types.timestamptz(6), BANK, ["infinity", "epoch", "now", "2024-01-05", "2024-02-30T00:00:00Z", "1704412800"]),
        (types.timestamptz(6), BANK, ["2024-01-05T00:00:00.1234567Z", "10000-01-01T00:00:00Z", "+292278994-08-16T23Z"]),
        (types.timestamp(0), CONNECT, ["9223372036854775807", "253402300800000", "infinity"]),
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
    ],
)
def test_other_ways_to_write_a_value_mean_the_same_value(
    kind: LogicalType, source: Source, text: str, value: object
) -> None:
    assert _decoded([text], kind, source) == [value]


def test_no_text_at_all_makes_a_statement_fail() -> None:
    odd = [*values.ODD_TEXTS, "9" * 400, "-" * 40, "[" * 300, "NaN", "\0", "=" * 24, "A" * 24, "AAAA", "/" * 24, None]
    for source in MODES:
        for kind in KINDS:
            try:
                found = _decoded(odd, kind, source)
            except duckdb.Error as error:
                pytest.fail(f"{kind} with {source.decimal}, {source.time}: {error}")
            assert len(found) == len(odd)
