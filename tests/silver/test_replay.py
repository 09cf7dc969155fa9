"""Dead letters that are decoded again: each becomes a change or an event at its own place, once."""

from __future__ import annotations

from dataclasses import replace as with_fields
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakehouse_assets.bronze import dead_letters, land
from lakehouse_assets.bronze.dead_letters import CannotReplay, Replayed
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import bronze_slice
from lakehouse_assets.silver.rebuild import rebuild_changes
from tests.silver.lakes import (
    changes,
    current,
    differences,
    fold,
    open_platform,
    state,
    take,
)
from tests.silver.second_tries import (
    CRASHES,
    at_once,
    misreading,
    never_misread,
    open_dead_letters,
    replay_dead_letters,
    told,
)
from tests.silver.told import USERS, user

MISREAD = {"bank_users": '"op":"u"', "shop_orders": '"op":"c"', "clickstream_user_events": "mobile"}


@pytest.fixture(params=sorted(MISREAD))
def table(request: pytest.FixtureRequest) -> Table:
    return contract(request.param)


@pytest.fixture
def misread(platform: Platform, table: Table) -> Platform:
    """A lake that holds the table, folded, with many dead letters that a mended decoder reads."""
    with misreading(MISREAD[table.id]):
        take(platform, table, told(table))
    fold(platform, table)
    assert len(open_dead_letters(platform, table)) > 5
    return platform


def test_replayed_dead_letters_give_the_tables_of_a_lake_that_never_had_them(misread: Platform, table: Table) -> None:
    waiting = len(open_dead_letters(misread, table))
    done = replay_dead_letters(misread, table)
    fold(misread, table)

    assert done.taken > 5
    assert (done.taken + done.left, done.left) == (waiting, len(open_dead_letters(misread, table)))
    assert differences(misread, table) == []
    assert state(misread, table) == never_misread(table.id)


def test_a_second_replay_finds_nothing_to_do(misread: Platform, table: Table) -> None:
    all_of_them = open_dead_letters(misread, table)
    first = dead_letters.replay(misread, table, all_of_them)
    again = dead_letters.replay(misread, table, all_of_them)
    fold(misread, table)
    fold(misread, table)

    assert (first.taken > 5, again) == (True, Replayed(0, first.left))
    assert differences(misread, table) == []


@pytest.mark.parametrize("expired", [False, True])
def test_dead_letters_that_are_replayed_before_they_are_folded_count_once(
    platform: Platform, table: Table, expired: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(platform, table, told(table)[:15])
    fold(platform, table)
    with misreading(MISREAD[table.id]):
        take(platform, table, told(table)[15:])
    replay_dead_letters(platform, table)
    if expired:
        monkeypatch.setattr(bronze_slice, "appends_since", lambda *_: None)
    fold(platform, table)

    assert differences(platform, table) == []
    assert state(platform, table) == never_misread(table.id)


def test_a_rebuild_between_replay_and_fold_takes_no_row_twice(platform: Platform) -> None:
    with misreading(MISREAD["bank_users"]):
        take(platform, USERS, told(USERS))
    fold(platform, USERS)
    replay_dead_letters(platform, USERS)
    rebuild_changes(platform, USERS, date(2026, 1, 5), date(2026, 1, 7))
    fold(platform, USERS)

    assert state(platform, USERS) == never_misread(USERS.id)


def test_a_replay_moves_counts_and_leaves_offsets_and_landing_times(misread: Platform, table: Table) -> None:
    def landed() -> tuple[land.Landing, set[tuple[Any, ...]]]:
        bronze = misread.open_catalog().load_table(f"bronze.{table.id}")
        rows = bronze.scan().to_arrow().to_pylist()
        fixed = ("topic", "partition", "offset", "ingestion_timestamp", "kafka_timestamp", "key", "record_hash")
        return land.state(bronze), {tuple(row[name] for name in fixed) for row in rows}

    before, rows = landed()
    done = replay_dead_letters(misread, table)
    after, rows_after = landed()

    assert after == with_fields(before, landed=before.landed + done.taken, dead=before.dead - done.taken)
    assert rows_after == rows


def test_a_replayed_change_that_a_later_one_superseded_is_history_and_leaves_the_current_row(
    platform: Platform,
) -> None:
    with misreading("middle"):
        take(
            platform,
            USERS,
            [
                user(0, "a", "c", 1, name="first"),
                user(1, "a", "u", 2, name="middle"),
                user(2, "a", "u", 3, name="last"),
            ],
        )
    fold(platform, USERS)
    replay_dead_letters(platform, USERS)
    fold(platform, USERS)

    assert [row["name"] for row in sorted(changes(platform, USERS), key=lambda r: r["offset"])] == [
        "first",
        "middle",
        "last",
    ]
    assert [row["name"] for row in current(platform, USERS)] == ["last"]


def test_a_replay_that_reaches_beyond_what_was_folded_still_knows_a_redelivery(platform: Platform) -> None:
    with misreading("last"):
        take(platform, USERS, [user(0, "a", "c", 1), user(1, "a", "u", 2, name="last")])
    fold(platform, USERS)
    replay_dead_letters(platform, USERS)
    fold(platform, USERS)
    take(platform, USERS, [user(2, "a", "u", 2, name="last")])
    fold(platform, USERS)

    assert [row["offset"] for row in sorted(changes(platform, USERS), key=lambda r: r["offset"])] == [0, 1]
    assert differences(platform, USERS) == []


def test_a_snapshots_read_moves_when_the_dead_letter_before_it_becomes_a_change(platform: Platform) -> None:
    with misreading("misread"):
        take(platform, USERS, [user(0, "a", "c", 10), user(1, "b", "c", 30, name="misread")])
        take(platform, USERS, [user(2, "a", "r", 99, snapshot="incremental", name="read at 30")])
        take(platform, USERS, [user(0, "a", "u", 20, partition=1, name="at 20")])
        fold(platform, USERS)
    assert [row["name"] for row in current(platform, USERS)] == ["at 20"]

    replay_dead_letters(platform, USERS)
    fold(platform, USERS)
    assert {row["name"] for row in current(platform, USERS)} == {"misread", "read at 30"}
    assert len(changes(platform, USERS)) == 4
    take(platform, USERS, [user(3, "b", "r", 99, snapshot="incremental", name="read at 30, too")])
    fold(platform, USERS)
    assert differences(platform, USERS) == []
    before = state(platform, USERS)
    rebuild_changes(platform, USERS, date(2026, 1, 5), date(2026, 1, 5))
    fold(platform, USERS)
    assert state(platform, USERS) == before


def test_what_is_still_no_message_stays_with_todays_reason(platform: Platform) -> None:
    with misreading("op"):
        take(platform, USERS, [user(0, "a", "x", 1), user(1, "a", "c", 2)])
    done = replay_dead_letters(platform, USERS)
    fold(platform, USERS)
    bronze = platform.open_catalog().load_table("bronze.bank_users")

    assert done == Replayed(taken=1, left=1)
    told_reasons = [row["error"] for row in bronze.scan().to_arrow().sort_by("offset").to_pylist()]
    assert told_reasons == ["op x is not one of c r u d t m", None]
    assert differences(platform, USERS) == []


def test_a_record_of_a_file_cannot_be_decoded_again(platform: Platform) -> None:
    table = contract("retail_products")
    with pytest.raises(CannotReplay, match=r"retail_products: .* deliver the mended row in a new file"):
        dead_letters.replay(platform, table, pa.table({}))


@pytest.mark.parametrize("moment", sorted(CRASHES))
def test_a_crash_anywhere_in_a_replay_loses_and_doubles_nothing(
    platform: Platform, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with misreading(MISREAD["bank_users"]):
        take(platform, USERS, told(USERS))
    fold(platform, USERS)
    chosen = open_dead_letters(platform, USERS)

    def replay_and_fold() -> None:
        dead_letters.replay(platform, USERS, chosen)
        fold(platform, USERS)

    with monkeypatch.context() as patch:
        CRASHES[moment](patch)
        with pytest.raises(RuntimeError, match="power failure"):
            replay_and_fold()
    dead_letters.replay(platform, USERS, chosen)
    fold(platform, USERS)

    assert state(platform, USERS) == never_misread(USERS.id)


def test_replays_and_increments_at_the_same_time_take_each_row_once(tmp_path: Path) -> None:
    messages = told(USERS)
    with open_platform(tmp_path) as first, open_platform(tmp_path) as second, open_platform(tmp_path) as third:
        with misreading(MISREAD["bank_users"]):
            take(first, USERS, messages[:30])
        fold(first, USERS)
        chosen = open_dead_letters(first, USERS)
        done: list[Replayed] = []

        def increment() -> None:
            for start in range(30, len(messages), 30):
                take(first, USERS, messages[start : start + 30])
                fold(first, USERS)

        def replaying(platform: Platform) -> None:
            done.append(dead_letters.replay(platform, USERS, chosen))
            fold(platform, USERS)

        at_once(increment, lambda: replaying(second), lambda: replaying(third))
        fold(first, USERS)

        assert sum(d.taken for d in done) == len(chosen)
        assert state(first, USERS) == never_misread(USERS.id)


def test_discarded_dead_letters_stay_in_bronze_and_are_open_no_more(misread: Platform, table: Table) -> None:
    catalog, waiting = misread.open_catalog(), open_dead_letters(misread, table)
    before = land.state(catalog.load_table(f"bronze.{table.id}"))
    assert dead_letters.open_count(catalog.load_table(f"bronze.{table.id}")) == len(waiting)

    assert dead_letters.set_aside(misread, table, waiting) == len(waiting)
    assert dead_letters.set_aside(misread, table, waiting) == 0
    assert dead_letters.replay(misread, table, waiting) == Replayed(0, 0)
    after = catalog.load_table(f"bronze.{table.id}")
    assert (dead_letters.open_count(after), land.state(after)) == (0, before)
    assert after.scan().to_arrow()["error"].is_valid().to_pylist().count(True) == len(waiting)
