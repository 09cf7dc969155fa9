"""What a table was at a snapshot, a time or a tag, and what became of its rows since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.table import Table

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.scan import ancestors, data_files
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure
from lakehouse_assets.engines.iceberg.time_travel import InvalidTag, UnknownSnapshot, made_at, snapshot_at, tag, untag
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.compaction import compact
from lakehouse_assets.operations.diff import NotAKey, diff, key_of, metric
from lakehouse_assets.operations.expiry import expire
from lakehouse_assets.operations.query import ask
from lakehouse_assets.operations.time_travel import TimeTravel
from tests.scenario import scenario
from tests.silver.lakes import cut, fold, rows, take

USERS = contract("bank_users")
DAYS = "marts.days"
OLD = pa.schema([pa.field("day", pa.int32()), pa.field("amount", pa.int32())])
NEW = pa.schema([pa.field("day", pa.int32()), pa.field("total", pa.int64()), pa.field("note", pa.string())])


def _write(platform: Platform, *told: dict[str, Any], schema: pa.Schema = OLD) -> Table:
    """One commit with these rows in the place of all others."""
    table = ensure(platform.open_catalog(), TableSpec(DAYS, schema, renamed={"amount": "total"}))
    commit(table, summary={}, added=write_files(table, pa.Table.from_pylist(list(told), schema)),
           removed=data_files(table))  # fmt: skip
    return table


def _evolve(platform: Platform) -> Table:
    _write(platform, {"day": 1, "amount": 10}, {"day": 2, "amount": 20})
    _write(platform, {"day": 1, "amount": 11}, {"day": 2, "amount": 20})
    return _write(platform, {"day": 2, "total": 2**40, "note": "late"}, {"day": 3, "total": 30}, schema=NEW)


def test_a_snapshot_is_read_with_its_own_rows_and_columns_by_id_tag_and_time(platform: Platform) -> None:
    table = _evolve(platform)
    past = TimeTravel(platform)
    newest, second, first = ancestors(table)
    tag(table, "begin", first)
    for snapshot, expected in (
        (first, [{"day": 1, "amount": 10}, {"day": 2, "amount": 20}]),
        (second, [{"day": 1, "amount": 11}, {"day": 2, "amount": 20}]),
        (newest, [{"day": 2, "total": 2**40, "note": "late"}, {"day": 3, "total": 30, "note": None}]),
    ):
        assert past.read_at_snapshot(DAYS, snapshot.snapshot_id).to_pylist() == expected
        assert past.read_as_of(DAYS, made_at(snapshot)).to_pylist() == expected
        for point in (snapshot.snapshot_id, made_at(snapshot)):
            with ask(platform, f"select * from {DAYS} order by 1", at=point) as answer:
                assert [dict(zip(answer.columns, row, strict=True)) for row in answer.rows] == expected
    assert past.read_at_snapshot(DAYS, "begin").num_rows == 2
    with pytest.raises(ValueError, match="no zone"):
        past.read_as_of(DAYS, datetime(2026, 1, 1))


def test_a_time_before_a_rollback_is_what_main_held_then(platform: Platform) -> None:
    table = _evolve(platform)
    newest, _, first = ancestors(table)
    done = TimeTravel(platform).rollback(DAYS, first.snapshot_id)
    past = TimeTravel(platform)
    assert past.read_as_of(DAYS, made_at(newest)).column("day").to_pylist() == [2, 3]
    assert past.read_as_of(DAYS, datetime.now(UTC)).column("day").to_pylist() == [1, 2]
    assert past.read_at_snapshot(DAYS, done.tag).column("day").to_pylist() == [2, 3]


def test_what_a_time_means_is_refused_where_it_expired_and_not_guessed(platform: Platform) -> None:
    table = _evolve(platform)
    newest, second, first = ancestors(table)
    tag(table, "begin", first)
    table.refresh().maintenance.expire_snapshots().by_id(second.snapshot_id).commit()
    table = platform.open_catalog().load_table(DAYS)
    for snapshot in (first, second):
        with pytest.raises(UnknownSnapshot, match=f"expired; the newest are {newest.snapshot_id} .* tags are begin"):
            snapshot_at(table, made_at(snapshot) + timedelta(microseconds=500))
    assert snapshot_at(table, "begin").snapshot_id == first.snapshot_id
    with pytest.raises(UnknownSnapshot, match="nothing is known of"):
        snapshot_at(table, made_at(first) - timedelta(seconds=1))


def test_a_tagged_snapshot_outlives_expiry_until_the_tag_goes(platform: Platform) -> None:
    table = _evolve(platform)
    for day in range(6):
        table = _write(platform, {"day": day, "total": 1}, schema=NEW)
    first = [*ancestors(table)][-1]
    tag(table, "begin", first)
    tag(table.refresh(), "begin", first)
    with pytest.raises(InvalidTag, match=f"tag 'begin' is of snapshot {first.snapshot_id}; remove it first"):
        tag(table, "begin", next(ancestors(table)))
    later = datetime.now(UTC) + timedelta(days=30)
    expire(platform, DAYS, later)
    assert TimeTravel(platform).read_at_snapshot(DAYS, "begin").column_names == ["day", "amount"]
    untag(platform.open_catalog().load_table(DAYS), "begin")
    expire(platform, DAYS, later)
    with pytest.raises(UnknownSnapshot):
        TimeTravel(platform).read_at_snapshot(DAYS, first.snapshot_id)


def _differences(before: list[dict[str, Any]], after: list[dict[str, Any]], key: tuple[str, ...]) -> dict[str, int]:
    """The same of rows, computed on their own."""
    sides = [{tuple(r[k] for k in key): {**r, "load_sequence": 0} for r in side} for side in (before, after)]
    then, now = sides
    changed = sum(then[k] != now[k] for k in then.keys() & now.keys())
    return {"added": len(now.keys() - then.keys()), "changed": changed, "removed": len(then.keys() - now.keys())}


@pytest.mark.parametrize("identifier", ["bronze.bank_users", "silver.bank_users_changes", "silver.bank_users"])
def test_rows_are_added_changed_and_removed_by_key_between_any_two_snapshots(
    platform: Platform, identifier: str
) -> None:
    for chunk in cut(scenario(USERS, 1).stream.messages, 4, 1):
        take(platform, USERS, chunk)
        fold(platform, USERS)
    table = platform.open_catalog().load_table(identifier)
    line = [*ancestors(table)][::-1]
    seen = dict.fromkeys(("added", "changed", "removed"), 0)
    for then, now in [*pairwise(line), (line[0], line[-1]), (line[-1], line[0])]:
        held = [table.scan(snapshot_id=s.snapshot_id).to_arrow().to_pylist() for s in (then, now)]
        with diff(platform, identifier, then.snapshot_id, now.snapshot_id) as found:
            assert found.counts == _differences(*held, key_of(identifier))
            assert len([*found.rows]) == sum(found.counts.values())
        seen = {change: count + found.counts[change] for change, count in seen.items()}
    assert all(seen.values()) or identifier != "silver.bank_users"


def test_a_compaction_is_no_difference(platform: Platform) -> None:
    for chunk in cut(scenario(USERS, 1).stream.messages, 8, 1):
        take(platform, USERS, chunk)
    before = platform.open_catalog().load_table("bronze.bank_users")
    assert [*compact(platform, "bronze.bank_users")]
    after = platform.open_catalog().load_table("bronze.bank_users")
    assert len(data_files(after)) < len(data_files(before))
    with diff(platform, "bronze.bank_users", before.metadata.current_snapshot_id or 0, "main") as found:
        assert (found.counts, [*found.rows]) == ({"added": 0, "changed": 0, "removed": 0}, [])
    assert len(rows(platform, "bronze.bank_users")) > 0


def test_columns_are_compared_by_their_ids_and_a_metric_at_both_points(platform: Platform) -> None:
    table = _evolve(platform)
    newest, _, first = (s.snapshot_id for s in ancestors(table))
    with diff(platform, DAYS, first, newest, ["day"]) as found:
        assert [*found.rows] == [("added", 3, None), ("changed", 2, "total"), ("removed", 1, None)]
        assert (found.new_columns, found.gone_columns) == (("note",), ())
    with diff(platform, DAYS, newest, first, ["day"]) as found:
        assert [*found.rows] == [("added", 1, None), ("changed", 2, "total"), ("removed", 3, None)]
    with diff(platform, DAYS, first, newest) as found:
        assert found.counts == {"added": 2, "changed": 0, "removed": 2}
    assert [metric(platform, DAYS, "count(*)", at) for at in (first, newest)] == [2, 2]
    assert metric(platform, DAYS, "sum(amount)", first) == 30


def test_what_does_not_identify_a_row_is_refused(platform: Platform) -> None:
    _write(platform, {"day": 1, "amount": 1})
    table = _write(platform, {"day": 1, "amount": 2}, {"day": 1, "amount": 3})
    newest, first = (s.snapshot_id for s in ancestors(table))
    with pytest.raises(NotAKey, match="several rows have the same day"), diff(platform, DAYS, first, newest, ["day"]):
        pass


def test_every_table_of_a_declaration_has_its_key() -> None:
    assert key_of("bronze.shop_users") == ("topic", "partition", "offset")
    assert key_of("silver.bank_accounts_changes") == ("id", "change_position")
    assert key_of("raw_vault.s_users") == ("h_user_hk", "change_position")
    assert key_of("marts.daily_metrics") == ("date", "product")
    assert key_of("marts.unknown") == ()
