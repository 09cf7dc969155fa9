"""Positions sort as the source committed, in text, whatever the clock and the log's offsets say."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest

from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.debezium.position import epoch_sql, incremental_sql, sql
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.sources.changes import Knobs, history
from lakehouse_assets.sources.positions import Placed, place

CONN = connect()
_COLUMNS = {
    "op": "varchar",
    "partition": "integer",
    "offset": "bigint",
    "source_snapshot": "varchar",
    "source_sequence": "varchar",
    "source_lsn": "bigint",
    "source_file_name": "varchar",
    "source_pos": "bigint",
    "source_row": "integer",
}


def _position(op: str, epoch: int = 0, **source: Any) -> str | None:
    """Of a change at offset 100, before which so many epochs began."""
    given = {"op": op, "partition": 0, "offset": 100, **{f"source_{k}": v for k, v in source.items()}}
    columns = ", ".join(f'${name}::{kind} as "{name}"' for name, kind in _COLUMNS.items())
    parameters = {name: given.get(name) for name in _COLUMNS}
    found = CONN.execute(f"select {sql([{0: 100}] * epoch)} from (select {columns})", parameters).fetchall()
    position: str | None = found[0][0]
    return position


def _of(placed: Placed) -> str:
    source = placed.source
    parts = {k: source.get(k) for k in ("snapshot", "sequence", "lsn", "pos", "row")}
    position = _position(placed.change.op, file_name=source.get("file"), **parts)
    assert position is not None
    return position


@pytest.mark.parametrize("table_id", ["bank_users", "shop_user_sessions"])
def test_positions_sort_as_the_source_committed_with_snapshot_reads_first(table_id: str) -> None:
    table = registry.table(table_id)
    knobs = Knobs(rows=8, transactions=45, interleaved=0.6)
    changes = place(table, history(table, 3, knobs), Random(3), knobs)
    found = [(placed.change.op == "r", placed.position, _of(placed)) for placed in changes]
    reads, streamed = [f for f in found if f[0]], [f for f in found if not f[0]]
    assert max(text for _, _, text in reads) < min(text for _, _, text in streamed)
    assert [text for *_, text in streamed] == sorted(text for *_, text in streamed)
    for (_, one, first), (_, other, second) in pairwise(streamed):
        assert (one == other) == (first == second)
    assert len({len(text) for *_, text in found}) == 1


def test_interleaved_transactions_sort_by_commit_not_by_lsn() -> None:
    committed_first = _position("u", sequence='["100","150"]', lsn=150)
    committed_second = _position("u", sequence='["160","120"]', lsn=120)
    assert committed_first is not None
    assert committed_second is not None
    assert committed_first < committed_second


def test_numbers_sort_as_numbers_over_a_rotated_binlog_and_many_digits() -> None:
    places = [
        ("mysql-bin.000009", 900, 0),
        ("mysql-bin.000010", 4, 0),
        ("mysql-bin.000010", 4, 2),
        ("b.1000000", 3, 10),
    ]
    found = [_position("u", file_name=f, pos=p, row=r) for f, p, r in places]
    assert found == sorted(str(f) for f in found)
    largest = _position("u", sequence='["18446744073709551615","1"]', lsn=2**63 - 1)
    assert largest is not None
    assert largest > str(_position("u", sequence='["9","1"]', lsn=1))


def test_a_read_sorts_before_a_streamed_change_at_the_same_place() -> None:
    read = _position("r", snapshot="last", sequence='[null,"500"]', lsn=500)
    streamed = _position("c", snapshot="false", sequence='[null,"500"]', lsn=500)
    assert read is not None
    assert read < str(streamed)


def test_a_later_epoch_sorts_after_everything_of_an_earlier_one() -> None:
    before = _position("u", sequence='["9000","9001"]', lsn=9001)
    assert before is not None
    assert before < str(_position("u", epoch=1, sequence='["1","2"]', lsn=2))


def test_an_epoch_holds_from_its_first_offset_of_each_partition_on() -> None:
    begun = [{0: 100, 1: 7}, {0: 100, 1: 9}]
    places = [(0, 99), (0, 100), (1, 6), (1, 7), (1, 8), (1, 9), (2, 0)]
    listed = ", ".join(f"({partition}, {offset})" for partition, offset in places)
    found = CONN.execute(f'select {epoch_sql(begun)} from (values {listed}) t(partition, "offset")').fetchall()
    assert [int(epoch) for (epoch,) in found] == [0, 2, 0, 1, 1, 2, 2]


def test_an_incremental_read_takes_the_place_of_the_change_before_it_and_loses_ties() -> None:
    assert _position("r", snapshot="incremental", lsn=7) is None
    before = _position("u", sequence='["5","6"]', lsn=6)
    found = CONN.execute(f"select {incremental_sql('$before')}", {"before": before}).fetchall()
    (read,) = found[0]
    assert read == str(before)[:-1] + "1"
    assert read < str(before)


def test_an_incremental_read_before_any_change_of_its_epoch_begins_it() -> None:
    before = _position("u", epoch=1, sequence='["5","6"]', lsn=6)
    read_at = incremental_sql("$before::varchar", [{0: 100}, {0: 200}])
    query = f'select {read_at} from (select 0 as partition, 200 as "offset")'
    [(read,)] = CONN.execute(query, {"before": before}).fetchall()
    assert str(before) < read < str(_position("r", epoch=2, lsn=1))
    assert len(read) == len(str(before))
