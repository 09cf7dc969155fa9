"""Only files that nothing names go, and none that may be of a commit under way."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import orphans
from lakehouse_assets.operations.orphans import TooYoung, plan, remove_orphans
from tests.bronze.lander import event, places, write_events
from tests.silver.lakes import take

EVENTS = contract("clickstream_user_events")
BRONZE = "bronze.clickstream_user_events"


def _files(platform: Platform) -> dict[Path, int]:
    folder = platform.home / "warehouse/bronze/clickstream_user_events"
    return {p: p.stat().st_size for p in folder.rglob("*") if p.is_file()}


def _land(platform: Platform) -> None:
    write_events(platform, [event(1), event(2)])
    take(platform, EVENTS, [])


def _age(platform: Platform, hours: float) -> None:
    moment = (datetime.now(UTC) - timedelta(hours=hours)).timestamp()
    for path in _files(platform):
        os.utime(path, (moment, moment))


def test_files_of_a_commit_that_never_came_go_after_a_day_and_no_other(platform: Platform) -> None:
    _land(platform)
    table = platform.open_catalog().load_table(BRONZE)
    before = _files(platform)
    write_files(table, table.scan().to_arrow())
    _age(platform, 23.9)
    assert plan(table).files_after == plan(table).files_before
    _age(platform, 24.1)
    planned = plan(table)
    assert (planned.files_before, planned.files_after) == (len(before) + 1, len(before))
    assert len(_files(platform)) == len(before) + 1
    assert remove_orphans(platform, BRONZE) == planned
    assert _files(platform) == before
    assert remove_orphans(platform, BRONZE).files_after == len(before)
    assert places(platform, EVENTS) == [(0, 0), (0, 1)]


def test_an_age_below_the_floor_is_refused(platform: Platform) -> None:
    _land(platform)
    with pytest.raises(TooYoung, match="younger than 1 day"):
        remove_orphans(platform, BRONZE, timedelta(hours=1))


def test_a_file_that_is_committed_while_the_folder_is_listed_stays(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(platform)
    table = platform.open_catalog().load_table(BRONZE)
    waiting = write_files(table, table.scan().to_arrow())
    _age(platform, 48)
    listed = orphans._listed

    def committed_meanwhile(handle):  # type: ignore[no-untyped-def]
        found = list(listed(handle))
        commit(platform.open_catalog().load_table(BRONZE), summary={}, added=waiting)
        return found

    monkeypatch.setattr(orphans, "_listed", committed_meanwhile)
    before = remove_orphans(platform, BRONZE)
    assert before.files_before == before.files_after
    assert platform.open_catalog().load_table(BRONZE).scan().to_arrow().num_rows == 4
