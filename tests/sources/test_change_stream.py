"""The change generator: messages like the recorded ones, every special case in them, and a truth that follows."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.contracts import registry, types
from lakehouse_assets.contracts.table import Column, Source, Table
from lakehouse_assets.sources.change_stream import change_stream
from lakehouse_assets.sources.changes import Knobs
from lakehouse_assets.sources.encodings import encode
from lakehouse_assets.sources.envelopes import UNAVAILABLE, key_bytes
from lakehouse_assets.sources.messages import Message
from tests.scenario import calm, scenario

SAMPLE = Path(__file__).parents[2] / "sample_data"
CAPTURED = [t for t in registry.tables() if t.source.kind == "cdc"]
each_table = pytest.mark.parametrize("table", CAPTURED, ids=lambda t: t.id)


@cache
def _recorded(table_id: str) -> list[dict[str, Any]]:
    table = registry.table(table_id)
    path = SAMPLE / f"{table.source.name}-string" / f"{table.topic}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _envelopes(messages: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(m.value) for m in messages if m.value is not None]


def _shape(envelope: dict[str, Any]) -> dict[str, Any]:
    transaction = envelope["transaction"]
    return {
        "envelope": list(envelope),
        "source": list(envelope["source"]),
        "source types": {k: type(v).__name__ for k, v in envelope["source"].items()},
        "transaction": transaction and list(transaction),
        "before": sorted(envelope["before"] or ()),
        "after": sorted(envelope["after"] or ()),
    }


@each_table
@pytest.mark.parametrize("op", ["r", "c", "u", "d"])
def test_an_envelope_has_the_shape_of_a_recorded_one(table: Table, op: str) -> None:
    full = table.id == "bank_accounts"
    recorded = [json.loads(m["payload"]) for m in _recorded(table.id) if m["payload"]]
    ours = _envelopes(calm(table, 1, full_before=full).stream.messages)
    shapes = [_shape(e) for e in recorded if e["op"] == op]
    assert [_shape(e) for e in ours if e["op"] == op]
    assert all(_shape(e) in shapes for e in ours if e["op"] == op)


@each_table
def test_values_have_the_json_types_of_recorded_ones(table: Table) -> None:
    def kinds(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
        return {c.name: {type(r[c.name]).__name__ for r in rows} - {"NoneType"} for c in table.columns}

    recorded = [json.loads(m["payload"])["after"] for m in _recorded(table.id) if m["payload"]]
    ours = [e["after"] for e in _envelopes(calm(table, 1).stream.messages)]
    assert kinds([r for r in ours if r]) == kinds([r for r in recorded if r])


@each_table
def test_headers_are_those_of_the_recorded_messages_but_for_the_run(table: Table) -> None:
    recorded = {tuple(m["headers"][::2]) for m in _recorded(table.id)}
    ours = {tuple(name for name, _ in m.headers) for m in calm(table, 1, key_updates=10).stream.messages}
    assert ours == {tuple(n for n in names if not n.endswith("runId")) for names in recorded}


@each_table
def test_the_same_seed_gives_the_same_messages_and_another_seed_others(table: Table) -> None:
    assert scenario(table, 3).stream == scenario(table, 3).stream
    assert scenario(table, 3).stream.messages != scenario(table, 4).stream.messages


@each_table
def test_folding_the_true_changes_in_order_gives_the_true_rows(table: Table) -> None:
    truth = scenario(table, 2, truncates=2).stream.truth
    rows: dict[Any, Any] = {}
    for change in truth.changes:
        if change.op == "t":
            rows.clear()
        elif change.op == "d":
            del rows[change.key]
        else:
            rows[change.key] = change.row
    assert rows == truth.current
    assert len(rows) > 0


@each_table
def test_positions_sort_in_commit_order(table: Table) -> None:
    positions = [c.position for c in scenario(table, 2).stream.truth.changes]
    assert positions == sorted(positions)


@each_table
def test_a_restart_tells_changes_again_at_higher_offsets_with_the_same_source(table: Table) -> None:
    stream = calm(table, 1, restarts=2, key_updates=0).stream
    told = Counter(
        (m.key, json.dumps(e["source"]), e["op"])
        for m in stream.messages
        if m.value is not None and (e := json.loads(m.value))["op"] != "r"
    )
    assert sum(n - 1 for n in told.values()) == stream.truth.redelivered > 0
    assert len(told) == sum(c.op != "r" for c in stream.truth.changes)
    times = Counter((m.key, m.value) for m in stream.messages if m.value is not None)
    assert set(times.values()) == {1}


@each_table
def test_a_delete_is_followed_by_a_tombstone_of_its_key(table: Table) -> None:
    messages = scenario(table, 1).stream.messages
    for before, after in pairwise(messages):
        is_delete = before.value is not None and json.loads(before.value)["op"] == "d"
        assert is_delete == (after.value is None)
        assert not is_delete or (before.key, before.partition) == (after.key, after.partition)


@each_table
def test_offsets_rise_within_a_partition_and_may_leave_holes(table: Table) -> None:
    messages = scenario(table, 1, holes=0.2).stream.messages
    for partition in range(3):
        offsets = [m.offset for m in messages if m.partition == partition]
        assert offsets == sorted(set(offsets))
        assert offsets[-1] >= len(offsets)


@each_table
def test_every_special_case_occurs(table: Table) -> None:
    truth = scenario(table, 1, transactions=200).stream.truth
    in_one_transaction = Counter((c.transaction, c.key) for c in truth.changes if c.transaction)
    deleted: set[Any] = set()
    returned = set()
    for change in truth.changes:
        if change.op == "d":
            deleted.add(change.key)
        if change.op == "c" and change.key in deleted:
            returned.add(change.key)
    assert max(in_one_transaction.values()) > 1
    assert returned
    assert {c.op for c in truth.changes} == {"r", "c", "u", "d", "t"}
    assert len({c.changed_at_ms // 86_400_000 for c in truth.changes}) >= 3


@each_table
def test_a_key_update_is_a_delete_and_a_create_that_name_each_other(table: Table) -> None:
    messages = calm(table, 1, key_updates=20).stream.messages
    moves: set[tuple[str, str]] = set()
    origins: set[tuple[str, str]] = set()
    for message in messages:
        own, (header, other) = (message.key or b"").decode(), message.headers[0]
        if header == "__debezium.newkey":
            moves.add((own, other))
        if header == "__debezium.oldkey":
            origins.add((other, own))
    assert moves == origins != set()


@each_table
def test_a_truncate_has_neither_key_nor_rows(table: Table) -> None:
    messages = calm(table, 1, truncates=1).stream.messages
    (truncate,) = [m for m in messages if m.value and json.loads(m.value)["op"] == "t"]
    envelope = json.loads(truncate.value or b"")
    assert (truncate.key, envelope["before"], envelope["after"]) == (None, None, None)


@each_table
def test_each_message_tells_the_true_row_but_for_what_it_says_is_unavailable(table: Table) -> None:
    stream = calm(table, 1).stream
    told = iter(_envelopes(stream.messages))
    for change, envelope in zip(stream.truth.changes, told, strict=True):
        if change.row is None:
            assert envelope["after"] is None
            continue
        expected = {c.name: encode(change.row[c.name], c.type, table.source) for c in table.columns}
        assert envelope["after"] == {**expected, **dict.fromkeys(change.unavailable, UNAVAILABLE)}


def test_an_untouched_large_text_is_unavailable_in_postgresql_only() -> None:
    truth = calm(registry.table("bank_users"), 1).stream.truth
    assert any(c.unavailable == {"notes"} for c in truth.changes)
    assert all(c.op == "u" for c in truth.changes if c.unavailable)
    assert not any(c.unavailable for c in calm(registry.table("shop_user_sessions"), 1).stream.truth.changes)


def test_without_full_identity_a_delete_tells_only_its_key_and_an_update_nothing_of_before() -> None:
    told = _envelopes(calm(registry.table("bank_users"), 1).stream.messages)
    assert all(e["before"] is None for e in told if e["op"] == "u")
    nothing = {"email": "", "name": "", "notes": None, "created_at": "1970-01-01T00:00:00Z"}
    assert all(nothing.items() <= e["before"].items() for e in told if e["op"] == "d")


def test_lsns_of_concurrent_transactions_go_down_while_commits_go_up() -> None:
    told = _envelopes(calm(registry.table("bank_accounts"), 1, interleaved=0.8).stream.messages)
    lsns = [e["source"]["lsn"] for e in told]
    assert any(a > b for a, b in pairwise(lsns))
    commits = [int(json.loads(e["source"]["sequence"])[0] or 0) for e in told]
    assert commits == sorted(commits)


def test_rows_break_a_rule_only_when_asked_to_and_the_truth_names_it() -> None:
    orders = registry.table("shop_orders")
    assert not any(c.violations for c in calm(orders, 1).stream.truth.changes)
    broken = {v for c in calm(orders, 1, broken=0.5).stream.truth.changes for v in c.violations}
    assert broken == {"quantity_is_at_least_1", "status_is_known", "total_amount_is_at_least_0"}


@pytest.mark.parametrize("connector", ["postgresql", "mysql"])
@pytest.mark.parametrize("decimal", ["string", "precise", "double"])
@pytest.mark.parametrize("time", ["isostring", "adaptive", "adaptive_time_microseconds", "connect"])
def test_any_contract_with_any_type_and_encoding_gets_messages(connector: Any, decimal: Any, time: Any) -> None:
    source = Source("lab", "cdc", "A laboratory.", "team:lab", "lab.{table}", connector, "lab", None, decimal, time)
    every = (
        *(types.text, types.varchar(5), types.char(2), types.uuid, types.json, types.integer, types.bigint),
        *(types.unsigned_bigint, types.decimal(38, 10), types.double, types.boolean, types.date),
        *(types.timestamptz(3), types.timestamp(6), types.datetime(6), types.binary, types.array(types.integer)),
    )
    columns = tuple(Column(f"c{i}", kind, "A value.", nullable=True) for i, kind in enumerate(every))
    keys = (Column("a", types.uuid, "First part."), Column("b", types.bigint, "Second part."))
    table = Table(source, "probes", "Probes.", ("a", "b"), (*keys, *columns))
    stream = change_stream(table, 1, Knobs(awkward=0.6))
    assert len(_envelopes(stream.messages)) == len(stream.truth.changes) + stream.truth.redelivered


def test_decimals_and_times_are_written_as_recorded_with_the_default_modes() -> None:
    def recorded(mode: str) -> dict[Any, Any]:
        with gzip.open(SAMPLE / f"shop-{mode}" / "shop.shop.products.jsonl.gz", "rt", encoding="utf-8") as lines:
            messages = [json.loads(line) for line in lines]
        told = [json.loads(m["payload"]) for m in messages if m["payload"]]
        return {e["after"]["id"]: e["after"] for e in told if e["op"] == "r"}

    default = Source("shop", "cdc", "A shop.", "team:lab", "shop.{table}", "mysql", decimal="precise", time="adaptive")
    exact, packed = recorded("string"), recorded("default")
    for key, row in exact.items():
        assert encode(Decimal(row["price"]), types.decimal(10, 2), default) == packed[key]["price"]
        created = datetime.fromisoformat(row["created_at"]).replace(tzinfo=None)
        assert encode(created, types.datetime(0), default) == packed[key]["created_at"]


def test_a_table_without_a_database_is_refused() -> None:
    with pytest.raises(ValueError, match="retail_orders is not a cdc table"):
        change_stream(registry.table("retail_orders"), 1)


def test_the_key_is_json_of_its_columns() -> None:
    assert key_bytes(registry.table("shop_users"), (7,)) == b'{"id":7}'
    assert key_bytes(registry.table("shop_users"), None) is None
