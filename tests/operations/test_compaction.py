"""Compaction changes files and nothing else, whoever writes or reads meanwhile and wherever it ends."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from lakehouse_assets.bronze.land import state as landing
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.commit import PER_COMMIT, marks
from lakehouse_assets.engines.iceberg.rewrite_files import RowsDiffer
from lakehouse_assets.engines.iceberg.scan import UnreadableDeletes, data_files, manifests, rows_of, sequence_of
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import compaction
from lakehouse_assets.operations.compaction import Sizes, compact, due, plan
from lakehouse_assets.silver.bronze_slice import is_consumed, watermark
from lakehouse_assets.silver.fold_current import is_folded
from tests.bronze.lander import event, places, write_events
from tests.bronze.lander import rows as landed_rows
from tests.position_deletes import delete_positions
from tests.scenario import scenario
from tests.silver.lakes import cut, differences, fold, open_platform, rows, take

USERS = contract("bank_users")
EVENTS = contract("clickstream_user_events")
TABLES = ("bronze.bank_users", "silver.bank_users_changes", "silver.bank_users")
ALL = Sizes(least_files=2)
MB = 1024 * 1024


def sized(*megabytes: float, deletes: Sequence[int] = ()) -> list[Any]:
    return [
        SimpleNamespace(file=SimpleNamespace(file_size_in_bytes=int(size * MB)), delete_files={n} & set(deletes))
        for n, size in enumerate(megabytes)
    ]


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        (sized(), []),
        (sized(100, 130, 200), []),
        (sized(1, 1, 1, 1), []),
        (sized(1, 1, 1, 1, 1), [0, 1, 2, 3, 4]),
        (sized(90, 1, 1, 1, 1, 1), [1, 2, 3, 4, 5]),
        (sized(90, 50), [0, 1]),
        (sized(90, 38), []),
        (sized(128, 90, 30, 5, 5), [1, 2, 3, 4]),
        (sized(231), [0]),
        (sized(128, 128, deletes=[1]), [1]),
        (sized(128, 30, 128, deletes=[2]), [1, 2]),
    ],
)
def test_files_are_due_by_size_number_and_deletes(found: list[Any], chosen: list[int]) -> None:
    assert due(found, Sizes()) == [found[n] for n in chosen]


def _fill(platform: Platform, batches: int = 3) -> None:
    for chunk in cut(scenario(USERS, 1).stream.messages, batches, 1):
        take(platform, USERS, chunk)
        fold(platform, USERS)


def _compact(platform: Platform, *identifiers: str, sizes: Sizes = ALL) -> list[compaction.Compacted]:
    return [done for identifier in identifiers for done in compact(platform, identifier, sizes)]


def _lasting(known: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in known.items() if key not in PER_COMMIT}


def test_rows_and_marks_stay_and_nobody_has_news(platform: Platform) -> None:
    _fill(platform)
    catalog = platform.open_catalog()
    before = {i: (rows(platform, i), marks(catalog.load_table(i)), sequence_of(catalog.load_table(i))) for i in TABLES}
    done = _compact(platform, *TABLES)
    assert {d.table for d in done} == {"bronze.bank_users", "silver.bank_users_changes"}
    for identifier in TABLES:
        table = catalog.load_table(identifier)
        held, known, number = before[identifier]
        assert sorted(map(repr, rows(platform, identifier))) == sorted(map(repr, held))
        assert _lasting(marks(table)) == _lasting(known)
        assert plan(table, ALL) == []
        assert sequence_of(table) == number + sum(d.table == identifier for d in done)
    bronze, changes = (catalog.load_table(i) for i in TABLES[:2])
    assert is_consumed(bronze, watermark(changes))
    assert is_folded(platform, USERS)
    fold(platform, USERS)
    assert {i: sequence_of(catalog.load_table(i)) for i in TABLES[1:]} == {
        i: before[i][2] + sum(d.table == i for d in done) for i in TABLES[1:]
    }


def test_readers_that_are_behind_by_several_commits_get_each_row_once(platform: Platform) -> None:
    """Bronze and the changes are compacted after each delivery, together with what was read before."""
    chunks = cut(scenario(USERS, 2).stream.messages, 6, 2)
    for n, chunk in enumerate(chunks):
        take(platform, USERS, chunk)
        _compact(platform, "bronze.bank_users")
        if n % 3 == 2:
            fold(platform, USERS)
            _compact(platform, *TABLES[1:])
    assert differences(platform, USERS) == []


def test_files_are_sorted_and_end_at_the_target(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    write_events(platform, [event(n) for n in range(40_000)])
    take(platform, EVENTS, [])
    monkeypatch.setattr("lakehouse_assets.engines.iceberg.rewrite_files.BATCH_BYTES", 256 * 1024)
    table = platform.open_catalog().load_table("bronze.clickstream_user_events")
    [whole] = data_files(table)
    sizes = Sizes(target=whole.file_size_in_bytes // 4)
    [done] = compact(platform, "bronze.clickstream_user_events", sizes)
    files = data_files(platform.open_catalog().load_table("bronze.clickstream_user_events"))
    assert done.files_after == len(files) > 2
    assert all(f.file_size_in_bytes >= sizes.target for f in sorted(files, key=lambda f: f.record_count)[1:])
    assert max(f.file_size_in_bytes for f in files) < sizes.large * sizes.target
    offset = table.schema().find_field("offset").field_id
    spans = sorted((f.lower_bounds[offset][::-1], f.upper_bounds[offset][::-1]) for f in files)
    assert all(end < begin for (_, end), (begin, _) in pairwise(spans))
    assert list(compact(platform, "bronze.clickstream_user_events", sizes)) == []


def test_compaction_and_landing_at_the_same_time_lose_and_double_nothing(tmp_path: Any) -> None:
    with open_platform(tmp_path) as lander, open_platform(tmp_path) as compactor:
        write_events(lander, [event(n) for n in range(10)])
        take(lander, EVENTS, [])
        ended = threading.Event()
        failed: list[BaseException] = []

        def compacting() -> None:
            try:
                while not ended.is_set():
                    done.extend(_compact(compactor, "bronze.clickstream_user_events"))
            except BaseException as error:
                failed.append(error)

        done: list[compaction.Compacted] = []
        thread = threading.Thread(target=compacting)
        thread.start()
        try:
            for _ in range(15):
                write_events(lander, [event(n) for n in range(10)])
                take(lander, EVENTS, [])
        finally:
            ended.set()
            thread.join()
        assert failed == []
        assert [d for d in done if d.snapshot_id is not None]
        assert places(lander, EVENTS) == [(0, n) for n in range(160)]
        assert landing(lander.open_catalog().load_table("bronze.clickstream_user_events")).offsets == {0: 160}
        fold(lander, EVENTS)
        assert differences(lander, EVENTS) == []


def test_two_compactions_of_the_same_files_do_it_once(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(platform)
    swap = compaction._swap

    def late(other: Platform, group: Any, added: Any) -> int | None:
        monkeypatch.setattr(compaction, "_swap", swap)
        _compact(platform, "bronze.bank_users")
        return swap(other, group, added)

    monkeypatch.setattr(compaction, "_swap", late)
    before = landed_rows(platform, USERS)
    [done] = _compact(platform, "bronze.bank_users")
    assert done.snapshot_id is None
    assert landed_rows(platform, USERS) == before
    [kept] = data_files(platform.open_catalog().load_table("bronze.bank_users"))
    on_disk = (platform.home / "warehouse/bronze/bank_users/data").rglob("*.parquet")
    assert len(list(on_disk)) == 3 + 1
    assert rows_of([kept]) == len(before)


def test_a_crash_before_the_swap_changes_nothing_and_a_rerun_does_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(platform)
    before = landed_rows(platform, USERS)

    def crash(*_: Any, **__: Any) -> Any:
        raise RuntimeError("power failure")

    with monkeypatch.context() as broken:
        broken.setattr(compaction, "commit", crash)
        with pytest.raises(RuntimeError, match="power failure"):
            _compact(platform, "bronze.bank_users")
    assert landed_rows(platform, USERS) == before
    assert len(plan(platform.open_catalog().load_table("bronze.bank_users"), ALL)) == 1
    _compact(platform, "bronze.bank_users")
    assert landed_rows(platform, USERS) == before


def test_a_rewrite_that_loses_a_row_is_not_committed(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(platform)
    before = sequence_of(platform.open_catalog().load_table("bronze.bank_users"))
    packed = compaction.rewrite_files.__globals__["_packed"]
    monkeypatch.setitem(
        compaction.rewrite_files.__globals__, "_packed", lambda batches: (b.slice(1) for b in packed(batches))
    )
    with pytest.raises(RowsDiffer, match=r"bronze\.bank_users: \d+ rows of 3 files became \d+"):
        _compact(platform, "bronze.bank_users")
    assert sequence_of(platform.open_catalog().load_table("bronze.bank_users")) == before
    assert len(list((platform.home / "warehouse/bronze/bank_users/data").rglob("*.parquet"))) == 3


def test_deletes_that_another_engine_left_are_applied(platform: Platform) -> None:
    _fill(platform)
    catalog = platform.open_catalog()
    table = catalog.load_table("silver.bank_users")
    [file] = data_files(table)
    delete_positions(table, file, 0, 2)
    kept = rows(platform, "silver.bank_users")
    assert len(kept) == file.record_count - 2
    with pytest.raises(UnreadableDeletes, match=r"maintain compact --table silver\.bank_users"):
        data_files(catalog.load_table("silver.bank_users"))
    [done] = _compact(platform, "silver.bank_users")
    assert (done.files_before, done.files_after) == (1, 1)
    assert sorted(map(repr, rows(platform, "silver.bank_users"))) == sorted(map(repr, kept))
    assert rows_of(data_files(catalog.load_table("silver.bank_users"))) == len(kept)


def test_manifests_are_merged(platform: Platform) -> None:
    _fill(platform)
    catalog = platform.open_catalog()
    before = len(manifests(catalog.load_table("silver.bank_users")))
    held = rows(platform, "silver.bank_users")
    [done] = _compact(platform, "silver.bank_users", sizes=Sizes(manifests=3))
    assert (done.partition, done.files_before, done.files_after) == ("manifests", before, 1)
    assert len(manifests(catalog.load_table("silver.bank_users"))) == 1
    assert rows(platform, "silver.bank_users") == held
