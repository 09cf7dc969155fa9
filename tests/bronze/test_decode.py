"""Messages as bronze rows: one row each, valid ones taken apart, the others whole with the reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.bronze import decode
from lakehouse_assets.bronze.schema import COLUMNS
from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.log.log import MESSAGES

USERS, ORDERS = registry.table("bank_users"), registry.table("shop_orders")
FLAT_USERS, FLAT_ORDERS = (replace(t, source=replace(t.source, envelope="flat")) for t in (USERS, ORDERS))
EVENTS = registry.table("clickstream_user_events")
LANDED_AT = datetime(2026, 1, 5, 12, 30, 0, 123456, UTC)
CONN = connect()
KEY = b'{"id":"a"}'
SOURCE = {"connector": "postgresql", "db": "bank", "schema": "public", "table": "users", "ts_ms": 5, "lsn": 9}


def _rows(
    table: Table, *messages: tuple[bytes | None, bytes | None], timestamp_ms: int | None = 1_767_571_200_001
) -> Any:
    columns = [
        {"partition": 0, "offset": n, "timestamp_ms": timestamp_ms, "key": key, "value": value}
        for n, (key, value) in enumerate(messages)
    ]
    found = decode.rows(CONN, table, pa.Table.from_pylist(columns, schema=MESSAGES), LANDED_AT)
    assert found.schema.names == COLUMNS.names
    return found.to_pylist()


def _change(op: str, **parts: Any) -> bytes:
    whole = {"before": None, "after": None, "op": op, "ts_ms": 7, "source": SOURCE}
    return json.dumps({**whole, **parts}).encode()


@pytest.mark.parametrize("op", ["c", "r", "u"])
def test_a_change_is_taken_apart(op: str) -> None:
    (row,) = _rows(USERS, (KEY, _change(op, before={"id": "a"}, after={"id": "a", "name": "Zoë 🎯", "n": 2**70})))
    assert json.loads(row["data"]) == {"id": "a", "name": "Zoë 🎯", "n": 2**70}
    assert json.loads(row["before"]) == {"id": "a"}
    assert (row["op"], row["ts_ms"], row["source_ts_ms"], row["source_lsn"]) == (op, 7, 5, 9)
    assert (row["key"], row["error"], row["raw"], row["is_tombstone"]) == (KEY.decode(), None, None, False)
    assert row["kafka_timestamp"] == datetime(2026, 1, 5, 0, 0, 0, 1000, UTC)
    assert row["ingestion_timestamp"] == LANDED_AT
    assert (row["topic"], row["source_system"], row["source_file"]) == (USERS.topic, "bank", f"{USERS.topic}/0")


def test_a_deletes_data_is_the_row_before_it_or_else_its_key() -> None:
    wrapped = b'{"schema":{},"payload":{"id":"a"}}'
    rows = _rows(
        USERS,
        (KEY, _change("d", before={"id": "a", "name": "x"})),
        (KEY, _change("d")),
        (wrapped, _change("d")),
    )
    assert [json.loads(r["data"]) for r in rows] == [{"id": "a", "name": "x"}, {"id": "a"}, {"id": "a"}]
    assert [r["error"] for r in rows] == [None] * 3


def test_an_envelope_inside_an_embedded_schema_is_found() -> None:
    value = b'{"schema":{"type":"struct"},"payload":' + _change("c", after={"id": "a"}) + b"}"
    (row,) = _rows(USERS, (KEY, value))
    assert (row["op"], json.loads(row["data"]), row["error"]) == ("c", {"id": "a"}, None)
    assert row["record_hash"] == hashlib.md5(value).hexdigest()


def test_a_tombstone_has_its_key_and_no_error() -> None:
    (row,) = _rows(USERS, (KEY, None))
    assert (row["is_tombstone"], row["key"], row["error"], row["data"]) == (True, KEY.decode(), None, None)
    assert row["record_hash"] == hashlib.md5(KEY).hexdigest()


def test_a_truncate_has_no_row_and_a_logical_message_is_kept() -> None:
    message = {"transactional": True, "prefix": "audit", "content": "aGk="}
    truncate, logical = _rows(USERS, (None, _change("t")), (None, _change("m", message=message)))
    assert (truncate["op"], truncate["data"], truncate["error"]) == ("t", None, None)
    assert (logical["op"], json.loads(logical["data"]), logical["error"]) == ("m", message, None)


@pytest.mark.parametrize(
    "other",
    [
        {"ts_ms": 1795230019169},
        {"status": "BEGIN", "id": "731:26", "event_count": None, "data_collections": None, "ts_ms": 1},
        {"source": {}, "ts_ms": 1, "databaseName": "shop", "schemaName": None, "ddl": "DROP", "tableChanges": []},
    ],
    ids=["heartbeat", "transaction", "schema change"],
)
@pytest.mark.parametrize("table", [USERS, FLAT_USERS], ids=["debezium", "flat"])
def test_what_debezium_tells_beside_changes_is_kept_and_no_dead_letter(table: Table, other: dict[str, Any]) -> None:
    wrapped = {"schema": {"type": "struct"}, "payload": other}
    rows = _rows(table, (b'{"serverName":"bank"}', json.dumps(other).encode()), (KEY, json.dumps(wrapped).encode()))
    assert [(row["op"], json.loads(row["data"]), row["error"]) for row in rows] == [(None, other, None)] * 2


def _flat(**parts: Any) -> bytes:
    told = {"__op": "u", "__deleted": "false", "__source_ts_ms": 5, "__source_lsn": 9, "__source_snapshot": None}
    return json.dumps({"id": "a", "name": "x", **told, **parts}).encode()


def test_a_flat_row_is_taken_apart_like_an_envelope() -> None:
    rows = _rows(
        FLAT_USERS,
        (KEY, _flat(__source_txId=7, __source_sequence='["8","9"]', __ts_ms=6)),
        (KEY, _flat(__op="d", __deleted="true")),
        (KEY, _flat(__op="r", __source_snapshot="incremental", __source_lsn=None, __lsn=9)),
        (KEY, None),
    )
    assert [row["op"] for row in rows] == ["u", "d", "r", None]
    assert [row["error"] for row in rows] == [None] * 4
    assert [row["source_lsn"] for row in rows[:3]] == [9, 9, 9]
    assert json.loads(rows[0]["data"])["name"] == "x"
    assert (rows[0]["source_tx_id"], rows[0]["source_sequence"], rows[0]["ts_ms"]) == ("7", '["8","9"]', 6)
    assert (rows[2]["source_snapshot"], rows[3]["is_tombstone"]) == ("incremental", True)


@pytest.mark.parametrize(
    ("table", "told", "missing"),
    [
        (FLAT_USERS, {"__op": None}, "__op"),
        (FLAT_USERS, {"__deleted": None}, "__deleted"),
        (FLAT_USERS, {"__source_ts_ms": None, "__source_lsn": None}, "__source_ts_ms, __source_lsn"),
        (FLAT_USERS, {"__op": "r"}, "__source_snapshot"),
        (FLAT_ORDERS, {}, "__source_file, __source_pos, __source_row"),
    ],
)
def test_a_flat_row_that_does_not_tell_its_place_is_a_dead_letter(
    table: Table, told: dict[str, Any], missing: str
) -> None:
    (row,) = _rows(table, (KEY, _flat(**told)))
    assert row["error"] == f"a flat message without {missing}"


def test_a_flat_row_may_have_columns_named_schema_and_payload() -> None:
    (row,) = _rows(FLAT_USERS, (KEY, b'{"schema":"public","payload":"x",' + _flat()[1:]))
    assert (row["error"], json.loads(row["data"])["schema"], row["data_schema"]) == (None, "public", None)


def test_the_schema_of_the_row_is_kept_beside_it() -> None:
    fields = [{"type": "string", "field": "id"}, {"type": "int64", "name": "io.debezium.time.Timestamp", "field": "n"}]
    parts = [{"type": "struct", "fields": f, "field": n} for n, f in (("before", []), ("after", fields))]
    for schema in ({"fields": parts}, {"fields": parts[::-1]}):
        value = {"schema": {"type": "struct", **schema}, "payload": json.loads(_change("c", after={"id": "a"}))}
        (row,) = _rows(USERS, (KEY, json.dumps(value).encode()))
        assert (json.loads(row["data_schema"]), row["error"]) == (fields, None)
    flat = {"schema": {"type": "struct", "fields": fields}, "payload": json.loads(_flat())}
    (row,) = _rows(FLAT_USERS, (KEY, json.dumps(flat).encode()))
    assert (json.loads(row["data_schema"]), row["op"]) == (fields, "u")


def test_debezium_servers_envelope_is_read_with_and_without_schema() -> None:
    table = replace(USERS, source=replace(USERS.source, envelope="server"))
    change = _change("c", after={"id": "a"})
    rows = _rows(
        table, (KEY, change), (KEY, b'{"payload":' + change + b"}"), (KEY, b'{"schema":null,"payload":' + change + b"}")
    )
    assert [(row["op"], row["error"]) for row in rows] == [("c", None)] * 3


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (KEY, b"hello", "the value is not JSON"),
        (KEY, b"", "the value is not JSON"),
        (KEY, _change("c", after={"id": "a"}).replace(b'"a"', b"NaN"), "the value is not JSON"),
        (KEY, b'{"op": "c",}', "the value is not JSON"),
        (KEY, b"\xff", "the value is not UTF-8"),
        (KEY, b"null", "no envelope: op is missing"),
        (KEY, b"[]", "no envelope: op is missing"),
        (KEY, b"7", "no envelope: op is missing"),
        (KEY, b'{"id": 1}', "no envelope: op is missing"),
        (KEY, _change("x"), "op x is not one of c r u d t m"),
        (KEY, _change("c"), "after is not an object"),
        (KEY, _change("u", after=[1]), "after is not an object"),
        (KEY, _change("c", after={}, source={}), "source.ts_ms is missing or not a number"),
        (KEY, _change("c", after={}, source="x"), "source.ts_ms is missing or not a number"),
        (KEY, _change("c", after={}, source={"ts_ms": 1}), "the source has neither lsn nor pos"),
        (None, _change("d"), "a delete without before and without key"),
        (b"not json", _change("d"), "a delete without before and without key"),
        (b"7", _change("d"), "a delete without before and without key"),
        (None, None, "neither key nor value"),
    ],
)
def test_what_is_no_change_keeps_its_bytes_and_says_why(key: bytes | None, value: bytes | None, reason: str) -> None:
    (row,) = _rows(USERS, (key, value))
    assert (row["error"], row["raw"]) == (reason, value)


def test_an_event_is_kept_as_it_was_written() -> None:
    value = '{"event_id": "e",  "n": 1.10, "big": 123456789012345678901234567890.5, "page": "/a, NaN, é"}'
    (row,) = _rows(EVENTS, (b"7", value.encode()))
    assert (row["data"], row["error"], row["op"]) == (value, None, None)


def test_a_key_that_is_no_text_is_kept_in_hexadecimal() -> None:
    (row,) = _rows(EVENTS, (b"\xff\x00", b"{}"))
    assert row["key"] == "FF00"


@pytest.mark.parametrize("timestamp_ms", [None, -1, 1_767_571_200_000_000_000, 2**63 - 1])
def test_a_timestamp_that_is_no_time_of_ours_does_not_stop_the_landing(timestamp_ms: int | None) -> None:
    (row,) = _rows(EVENTS, (b"7", b"{}"), timestamp_ms=timestamp_ms)
    assert (row["kafka_timestamp"], row["error"]) == (None, None)


def test_no_message_at_all_gives_no_row() -> None:
    assert _rows(USERS) == []


_NAMES = st.sampled_from(["before", "after", "source", "op", "ts_ms", "lsn", "schema", "payload", "a"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.none() | st.binary(max_size=6), st.none() | st.binary(max_size=12) | _JSON), max_size=12))
def test_whatever_comes_is_one_row_in_its_place_and_a_dead_one_keeps_its_bytes(told: list[tuple[Any, Any]]) -> None:
    sent = [(k, v if isinstance(v, bytes) or v is None else json.dumps(v).encode()) for k, v in told]
    for table in (USERS, ORDERS, EVENTS, FLAT_USERS):
        rows = _rows(table, *sent)
        assert [r["offset"] for r in rows] == list(range(len(sent)))
        assert [r["raw"] for r in rows] == [v if r["error"] else None for r, (_, v) in zip(rows, sent, strict=True)]
        for row in rows:
            empty = row["is_tombstone"] or row["op"] in ("t", "m")
            assert row["error"] or empty or json.loads(row["data"]) is not None
