"""What all folds share: bounded slices, one commit each, also among other writers and after a crash."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.table import DataScan

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import fold_current, folding, schema
from lakehouse_assets.silver.bronze_slice import Watermark, register, slices
from lakehouse_assets.silver.fold_changes import fold_changes
from tests.other_engine import maintain_from_outside
from tests.scenario import calm, scenario
from tests.silver.contradictions import contradicted_events
from tests.silver.lakes import changes, current, cut, differences, fold, open_platform, refused, take
from tests.silver.told import SESSIONS, USERS, session, user

EVENTS = contract("clickstream_user_events")


def test_folds_at_the_same_time_take_each_row_once(tmp_path: Path) -> None:
    with open_platform(tmp_path) as first, open_platform(tmp_path) as second:
        failed: list[BaseException] = []

        def folding_on(platform: Platform) -> None:
            try:
                fold(platform, EVENTS)
            except BaseException as error:
                failed.append(error)

        for chunk in (contradicted_events(3)[:50], contradicted_events(3)[50:]):
            take(first, EVENTS, chunk)
            threads = [threading.Thread(target=folding_on, args=(p,)) for p in (first, second)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert failed == []
        assert differences(first, EVENTS) == []


def test_what_another_engine_expires_leaves_nothing_to_fold_again(platform: Platform) -> None:
    first, second = cut(calm(USERS, 3).stream.messages, 2, seed=3)
    take(platform, USERS, first)
    fold(platform, USERS)
    folded = changes(platform, USERS)
    for table in (schema.changes_name(USERS), schema.current_name(USERS), f"bronze.{USERS.id}"):
        maintain_from_outside(platform.open_catalog(), table)
    fold(platform, USERS)
    assert changes(platform, USERS) == folded
    take(platform, USERS, second)
    fold(platform, USERS)
    assert differences(platform, USERS) == []


def test_a_crash_between_rejects_and_rows_writes_nothing_twice(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(platform, EVENTS, contradicted_events(3))

    def crash(*_: Any, **__: Any) -> Any:
        raise RuntimeError("power failure")

    with monkeypatch.context() as broken:
        broken.setattr(folding, "commit", crash)
        with pytest.raises(RuntimeError, match="power failure"):
            fold(platform, EVENTS)
    before = refused(platform, EVENTS)
    fold(platform, EVENTS)

    assert before
    assert sorted(map(repr, refused(platform, EVENTS))) == sorted(map(repr, before))
    assert differences(platform, EVENTS) == []


def test_a_backlog_whose_snapshots_expired_comes_in_bounded_slices(platform: Platform) -> None:
    take(platform, USERS, scenario(USERS, 1).stream.messages)
    bronze = platform.open_catalog().load_table("bronze.bank_users")
    mark = Watermark(snapshot_id=1, offsets={f"{USERS.topic}/0": 10})
    found: list[tuple[int, int]] = []
    sizes, ends = [], []
    for piece in slices(bronze, mark, rows=30):
        conn = connect()
        offsets = register(conn, bronze, piece, mark)
        rows = conn.execute('select partition, "offset" from bronze_rows').fetchall()
        mark = Watermark(piece.snapshot_id, offsets)
        found, sizes, ends = found + rows, [*sizes, len(rows)], [*ends, piece.snapshot_id]

    landed = bronze.scan(selected_fields=("partition", "offset")).to_arrow().to_pylist()
    wanted = [(r["partition"], r["offset"]) for r in landed if r["partition"] != 0 or r["offset"] >= 10]
    assert sorted(found) == sorted(wanted)
    assert max(sizes) <= 30
    assert ends == [None] * (len(ends) - 1) + [bronze.current_snapshot().snapshot_id]


def test_slices_of_changes_give_the_same_current_rows(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for chunk in range(0, 200, 40):
        take(platform, USERS, scenario(USERS, 1, strayed=0.1).stream.messages[chunk : chunk + 40])
        fold_changes(platform, USERS)
    monkeypatch.setattr(fold_current, "SLICE_ROWS", 30)
    fold_current.fold_current(platform, USERS)
    table = platform.open_catalog().load_table(schema.current_name(USERS))

    assert len(table.snapshots()) > 2
    assert differences(platform, USERS) == []


def test_a_renamed_column_keeps_its_values_old_and_new(platform: Platform) -> None:
    take(platform, USERS, [user(0, "a", "c", 1, name="old name"), user(1, "b", "c", 2, name="old name")])
    fold(platform, USERS)
    columns = (replace(c, name="full_name", renamed_from="name") if c.name == "name" else c for c in USERS.columns)
    renamed = replace(USERS, columns=tuple(columns))
    take(platform, renamed, [user(2, "b", "u", 3, name=None, full_name="new name"), user(3, "c", "c", 4, name="late")])
    fold(platform, renamed)

    assert sorted(row["full_name"] for row in current(platform, renamed)) == ["late", "new name", "old name"]
    assert len(changes(platform, renamed)) == 4


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the files that scans planned to read."""
    sizes: list[int] = []
    plan = DataScan.plan_files

    def spied(scan: DataScan) -> Any:
        tasks = list(plan(scan))
        sizes.extend(task.file.file_size_in_bytes for task in tasks)
        return tasks

    monkeypatch.setattr(DataScan, "plan_files", spied)
    return sizes


def test_an_increment_costs_the_same_whatever_the_table_holds(tmp_path: Path, planned: list[int]) -> None:
    costs = []
    for days in (3, 30):
        with open_platform(tmp_path / str(days)) as platform:
            take(platform, SESSIONS, [session(i, i, i // 20) for i in range(days * 20)])
            fold(platform, SESSIONS)
            end = days * 20
            news = [session(end + i, 20 + i, 1, "u", 5_000 + i, "tablet") for i in range(5)]
            take(platform, SESSIONS, news)
            planned.clear()
            fold(platform, SESSIONS)
            written = [_written(platform, of(SESSIONS)) for of in (schema.changes_name, schema.current_name)]
            costs.append([len(planned), sum(planned), *(number for numbers in written for number in numbers)])
            assert len(current(platform, SESSIONS)) == days * 20
    assert costs[0] == pytest.approx(costs[1], rel=0.01)


def _written(platform: Platform, identifier: str) -> list[int]:
    snapshot = platform.open_catalog().load_table(identifier).current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    names = ("added-data-files", "deleted-data-files", "added-records", "deleted-records", "added-files-size")
    return [int(snapshot.summary.additional_properties.get(name) or 0) for name in names]
