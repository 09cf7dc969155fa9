"""A table that is rolled back, and all that is made of it, equals its source again after the next increment."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lakehouse_assets.bronze.land import land
from lakehouse_assets.bronze.land import state as landing
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.scan import ancestors
from lakehouse_assets.engines.iceberg.time_travel import UnknownSnapshot
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import history
from lakehouse_assets.operations.expiry import expire
from lakehouse_assets.operations.history import CannotRollBack, UnknownTable, rollback
from lakehouse_assets.operations.retention import retain
from lakehouse_assets.silver.bronze_slice import is_consumed, watermark
from lakehouse_assets.silver.rebuild import CannotRebuild, rebuild_changes
from tests.bronze.lander import places
from tests.scenario import scenario
from tests.silver.lakes import cut, differences, fold, rows, state, take

USERS = contract("bank_users")
BRONZE, CHANGES, CURRENT = "bronze.bank_users", "silver.bank_users_changes", "silver.bank_users"


def _fill(platform: Platform, seed: int = 1) -> None:
    for chunk in cut(scenario(USERS, seed).stream.messages, 4, seed):
        take(platform, USERS, chunk)
        fold(platform, USERS)


def _earlier(platform: Platform, identifier: str, back: int) -> int:
    return list(ancestors(platform.open_catalog().load_table(identifier)))[back].snapshot_id


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("tables", [(BRONZE,), (CHANGES,), (CURRENT,), (CHANGES, CURRENT), (BRONZE, CHANGES, CURRENT)])
def test_what_was_rolled_back_equals_the_source_after_the_next_increment(
    platform: Platform, tables: tuple[str, ...], seed: int
) -> None:
    _fill(platform, seed)
    before = state(platform, USERS), sorted(places(platform, USERS))
    for identifier in tables:
        held = platform.open_catalog().load_table(identifier).scan(snapshot_id=_earlier(platform, identifier, 2))
        expected = sorted(map(repr, held.to_arrow().to_pylist()))
        done = rollback(platform, identifier, _earlier(platform, identifier, 2))
        assert sorted(map(repr, rows(platform, identifier))) == expected
        assert done.rows_after == len(expected)
    land(platform, USERS)
    fold(platform, USERS)
    assert differences(platform, USERS) == []
    assert (state(platform, USERS), sorted(places(platform, USERS))) == before


def test_a_rollback_of_a_rebuild_brings_back_what_it_changed(platform: Platform) -> None:
    """Rows of before come back with the numbers that they had: the current table looks at every key."""
    _fill(platform)
    before = sorted(map(repr, rows(platform, CURRENT)))
    table = platform.open_catalog().load_table(CHANGES)
    present = table.current_snapshot()
    assert present is not None
    table.delete("change_position > '0'")
    rollback(platform, CHANGES, _earlier(platform, CHANGES, 1))
    fold(platform, USERS)
    assert sorted(map(repr, rows(platform, CURRENT))) == before
    assert differences(platform, USERS) == []
    assert rebuild_changes(platform, USERS, date(2020, 1, 1), datetime.now(UTC).date()) is not None


def test_offsets_go_back_with_bronze_and_silver_reads_nothing_twice(platform: Platform) -> None:
    _fill(platform)
    catalog = platform.open_catalog()
    end = landing(catalog.load_table(BRONZE))
    done = rollback(platform, BRONZE, _earlier(platform, BRONZE, 2))
    back = landing(catalog.load_table(BRONZE))
    assert back.consumed == done.rows_after < end.consumed
    assert catalog.load_table(BRONZE).metadata.refs[done.tag].snapshot_id != done.snapshot_id
    with pytest.raises(
        CannotRebuild, match=r"bank\.public\.users/\d is folded up to offset \d+, bronze was rolled back"
    ):
        rebuild_changes(platform, USERS, date(2026, 1, 1), date(2026, 1, 31))
    land(platform, USERS)
    assert landing(catalog.load_table(BRONZE)) == end
    fold(platform, USERS)
    assert is_consumed(catalog.load_table(BRONZE), watermark(catalog.load_table(CHANGES)))


def test_bronze_does_not_go_back_past_what_the_log_holds(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(platform)
    bounds = platform.log.bounds(USERS.topic)
    held = {p: b._replace(start=b.end) if hasattr(b, "_replace") else type(b)(b.end, b.end) for p, b in bounds.items()}
    monkeypatch.setattr(type(platform.log), "bounds", lambda *_: held)
    before = _earlier(platform, BRONZE, 0)
    with pytest.raises(
        CannotRollBack, match=r"topic bank\.public\.users partition \d: .* go back to offset \d+, the log"
    ):
        rollback(platform, BRONZE, _earlier(platform, BRONZE, 2))
    assert _earlier(platform, BRONZE, 0) == before


def test_an_unknown_table_or_snapshot_is_answered_with_the_known_ones(platform: Platform) -> None:
    _fill(platform)
    with pytest.raises(UnknownTable, match=r"'silver\.bank_user'; there are bronze\.bank_users, silver\.bank_users"):
        rollback(platform, "silver.bank_user", 1)
    with pytest.raises(
        UnknownSnapshot, match=f"42 is not in its history; .* there are {_earlier(platform, CURRENT, 1)}"
    ):
        rollback(platform, CURRENT, 42)
    with pytest.raises(UnknownSnapshot, match="is the present snapshot"):
        rollback(platform, CURRENT, _earlier(platform, CURRENT, 0))


def test_a_rollback_that_meets_another_writer_does_nothing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = cut(scenario(USERS, 1).stream.messages, 3, 1)
    for chunk in chunks[:2]:
        take(platform, USERS, chunk)
    check = history.check

    def landed_meanwhile(*arguments: Any) -> Any:
        found = check(*arguments)
        thread = threading.Thread(target=take, args=(platform, USERS, chunks[2]))
        thread.start()
        thread.join()
        return found

    monkeypatch.setattr(history, "check", landed_meanwhile)
    with pytest.raises(Conflict):
        rollback(platform, BRONZE, _earlier(platform, BRONZE, 1))
    table = platform.open_catalog().load_table(BRONZE)
    assert set(table.metadata.refs) == {"main"}
    assert len(places(platform, USERS)) == sum(map(len, chunks))


def test_silver_does_not_go_back_past_what_bronze_holds(platform: Platform) -> None:
    first, second, last = cut(scenario(USERS, 1).stream.messages, 3, 1)
    for chunk in (first, second):
        take(platform, USERS, chunk)
        fold(platform, USERS)
    retain(platform, BRONZE, datetime.now(UTC).date() + USERS.bronze_retention + timedelta(days=2))
    take(platform, USERS, last)
    fold(platform, USERS)
    before = state(platform, USERS)
    reach, past = _earlier(platform, CHANGES, 1), _earlier(platform, CHANGES, 2)
    gone = len(second)
    with pytest.raises(
        CannotRollBack, match=rf"{gone} rows of {BRONZE} .* snapshot {past} .* gone back to is {reach}$"
    ):
        rollback(platform, CHANGES, past)
    assert state(platform, USERS) == before
    rollback(platform, CHANGES, reach)
    fold(platform, USERS)
    assert differences(platform, USERS) == []


def test_the_tag_of_a_rollback_goes_when_the_table_keeps_no_snapshot_so_long(platform: Platform) -> None:
    _fill(platform)
    tag = rollback(platform, CHANGES, _earlier(platform, CHANGES, 1)).tag
    left = platform.open_catalog().load_table(CHANGES).metadata.refs[tag].snapshot_id

    def held(days: int) -> tuple[bool, bool]:
        expire(platform, CHANGES, datetime.now(UTC) + timedelta(days=days))
        found = platform.open_catalog().load_table(CHANGES).metadata
        return tag in found.refs, found.snapshot_by_id(left) is not None

    assert [held(4), held(6)] == [(True, True), (False, False)]
    fold(platform, USERS)
    assert differences(platform, USERS) == []
