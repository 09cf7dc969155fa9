"""Expiry forgets what is old and deletes what nobody needs, and no reader notices."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from lakehouse_assets.bronze.land import state as landing
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.scan import ancestors
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import expiry
from lakehouse_assets.operations.compaction import Sizes, compact
from lakehouse_assets.operations.expiry import expirable, expire, plan
from lakehouse_assets.silver.bronze_slice import is_consumed, watermark
from lakehouse_assets.silver.fold_changes import fold_changes
from tests.bronze.lander import event, places, write_events
from tests.scenario import scenario
from tests.silver.lakes import cut, differences, fold, open_platform, rows, take

EVENTS = contract("clickstream_user_events")
USERS = contract("bank_users")
BRONZE = "bronze.clickstream_user_events"
LATER = datetime.now(UTC) + timedelta(days=6)


def _land(platform: Platform, times: int) -> Table:
    for _ in range(times):
        write_events(platform, [event(n) for n in range(3)])
        take(platform, EVENTS, [])
    return platform.open_catalog().load_table(BRONZE)


def _files(platform: Platform, identifier: str) -> set[str]:
    """What is on disk, without the table's metadata files."""
    folder = platform.home / "warehouse" / Path(*identifier.split("."))
    return {str(p) for p in folder.rglob("*") if p.is_file() and p.suffix != ".json"}


def _paths(table: Table) -> set[str]:
    needed = expiry.needed(table, table.metadata.snapshots)
    return {location.removeprefix("file://") for location in needed}


def test_what_is_young_new_tagged_or_branched_is_kept(platform: Platform) -> None:
    table = _land(platform, 9)
    made = [s.snapshot_id for s in ancestors(table)][::-1]
    assert expirable(table.metadata, datetime.now(UTC)) == []
    assert expirable(table.metadata, LATER) == made[:4]
    table.manage_snapshots().create_tag(made[1], "audit").commit()
    table.manage_snapshots().create_branch(made[3], "trial", min_snapshots_to_keep=2).commit()
    assert expirable(platform.open_catalog().load_table(BRONZE).metadata, LATER) == [made[0]]


def test_files_that_nobody_needs_are_deleted_and_no_other(platform: Platform) -> None:
    table = _land(platform, 8)
    assert table.current_snapshot() is not None
    list(compact(platform, BRONZE))
    tagged = list(ancestors(table))[-2]
    table = platform.open_catalog().load_table(BRONZE)
    table.manage_snapshots().create_tag(tagged.snapshot_id, "audit").commit()
    before = _files(platform, BRONZE)
    planned = plan(platform.open_catalog().load_table(BRONZE), LATER)
    assert _files(platform, BRONZE) == before
    done = expire(platform, BRONZE, LATER)
    assert done == planned
    assert done.snapshots == 3
    assert len(_files(platform, BRONZE)) == done.files_after < done.files_before == len(before)
    kept = platform.open_catalog().load_table(BRONZE)
    assert _files(platform, BRONZE) == _paths(kept)
    assert places(platform, EVENTS) == [(0, n) for n in range(24)]
    assert kept.scan(snapshot_id=tagged.snapshot_id).to_arrow().num_rows == 6
    assert expire(platform, BRONZE, LATER).snapshots == 0


@pytest.mark.parametrize("survives", [0, 1, 4])
def test_a_crash_in_the_middle_leaves_every_kept_snapshot_whole(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    _land(platform, 5)
    list(compact(platform, BRONZE))
    _land(platform, 5)
    left = [survives]

    def fails(io: PyArrowFileIO, location: Any) -> None:
        if not left[0]:
            raise RuntimeError("power failure")
        left[0] -= 1
        deletes(io, location)

    deletes = PyArrowFileIO.delete
    with monkeypatch.context() as broken:
        broken.setattr(PyArrowFileIO, "delete", fails)
        with pytest.raises(RuntimeError, match="power failure"):
            expire(platform, BRONZE, LATER)
    table = platform.open_catalog().load_table(BRONZE)
    assert _paths(table) <= _files(platform, BRONZE)
    for snapshot in table.metadata.snapshots:
        table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
    assert places(platform, EVENTS) == [(0, n) for n in range(30)]
    assert expire(platform, BRONZE, LATER).snapshots == 0


def test_what_became_the_present_snapshot_meanwhile_is_not_expired(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(platform, 8)
    chosen = expiry.expirable

    def rolled_back_meanwhile(metadata: Any, now: datetime) -> list[int]:
        ids = chosen(metadata, now)
        monkeypatch.setattr(expiry, "expirable", chosen)
        platform.open_catalog().load_table(BRONZE).manage_snapshots().set_current_snapshot(ids[1]).commit()
        return ids

    monkeypatch.setattr(expiry, "expirable", rolled_back_meanwhile)
    assert expire(platform, BRONZE, LATER).snapshots == 6
    assert platform.open_catalog().load_table(BRONZE).scan().to_arrow().num_rows == 6


def test_landing_folding_compaction_and_expiry_at_the_same_time_lose_and_double_nothing(tmp_path: Path) -> None:
    with open_platform(tmp_path) as lander, open_platform(tmp_path) as keeper:
        _land(lander, 1)
        ended = threading.Event()
        failed: list[BaseException] = []
        expired: list[int] = []

        def upkeep() -> None:
            try:
                while not ended.is_set():
                    list(compact(keeper, BRONZE, Sizes(least_files=2)))
                    expired.append(expire(keeper, BRONZE, LATER).snapshots)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=upkeep)
        thread.start()
        try:
            for n in range(12):
                _land(lander, 1)
                if n % 4 == 3:
                    fold(lander, EVENTS)
        finally:
            ended.set()
            thread.join()
        assert failed == []
        assert sum(expired) > 0
        fold(lander, EVENTS)
        assert differences(lander, EVENTS) == []
        assert landing(lander.open_catalog().load_table(BRONZE)).consumed == 39


def test_silver_whose_watermark_expired_goes_on_by_offsets(platform: Platform) -> None:
    chunks = cut(scenario(USERS, 4).stream.messages, 10, 4)
    for chunk in chunks[:2]:
        take(platform, USERS, chunk)
    fold(platform, USERS)
    for chunk in chunks[2:]:
        take(platform, USERS, chunk)
    expire(platform, "bronze.bank_users", LATER)
    catalog = platform.open_catalog()
    bronze, changes = (catalog.load_table(i) for i in ("bronze.bank_users", "silver.bank_users_changes"))
    assert bronze.snapshot_by_id(watermark(changes).snapshot_id or 0) is None
    assert not is_consumed(bronze, watermark(changes))
    fold_changes(platform, USERS)
    for _ in range(5):
        list(compact(platform, "silver.bank_users_changes", Sizes(least_files=1, manifests=1)))
    expire(platform, "silver.bank_users_changes", LATER)
    fold(platform, USERS)
    assert differences(platform, USERS) == []


def test_an_idle_reader_has_no_news_when_its_watermark_expires(platform: Platform) -> None:
    _land(platform, 2)
    fold(platform, EVENTS)
    for _ in range(6):
        list(compact(platform, BRONZE, Sizes(manifests=1)))
    expire(platform, BRONZE, LATER)
    bronze, silver = (platform.open_catalog().load_table(i) for i in (BRONZE, "silver.clickstream_user_events"))
    assert bronze.snapshot_by_id(watermark(silver).snapshot_id or 0) is None
    assert is_consumed(bronze, watermark(silver))


def test_marks_under_a_commit_of_another_engine_outlive_their_snapshots(platform: Platform) -> None:
    table = _land(platform, 3)
    known = landing(table)
    for _ in range(6):
        platform.open_catalog().load_table(BRONZE).append(table.scan().to_arrow().slice(0, 0))
    assert expire(platform, BRONZE, LATER).snapshots > 3
    kept = platform.open_catalog().load_table(BRONZE)
    assert landing(kept) == known
    assert marks(kept)
    assert rows(platform, BRONZE)
