"""A source's log that began anew: it is noticed, and a new epoch sorts its changes after everything of the old log."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from lakehouse_assets.bronze.epochs import begin, epochs
from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, commit
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.epochs import NotLanded, UnknownSource, plan, reset
from lakehouse_assets.silver.rebuild import CannotRebuild, rebuild_changes
from lakehouse_assets.silver.reset import SourceWasReset
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append
from tests.scenario import calm
from tests.silver.lakes import changes, current, differences, fold, state, take
from tests.silver.second_tries import misreading, replay_dead_letters
from tests.silver.told import NOON, USERS, user

DAY = NOON.date()
OLD = [user(0, "a", "c", 500, name="old"), user(1, "b", "c", 510), user(0, "c", "c", 520, partition=1, name="old")]
"""Between 20:20 and 20:40 of the day: `user` tells a change a minute after noon per LSN."""
NEW_LOG = [user(2, "a", "u", 10, name="new"), user(3, "b", "d", 11), user(1, "c", "u", 12, partition=1, name="new")]


def later(hours: int, *messages: Message) -> list[Message]:
    """The messages with the source's time that much later: the new log begins low, its clock goes on."""

    def moved(message: Message) -> bytes:
        envelope = json.loads(message.value or b"")
        envelope["source"]["ts_ms"] += hours * 3_600_000
        return json.dumps(envelope).encode()

    return [m._replace(value=moved(m)) for m in messages]


def names(platform: Platform) -> dict[str, str]:
    return {row["id"][-1]: row["name"] for row in current(platform, USERS)}


def told(platform: Platform, *messages: Message) -> None:
    take(platform, USERS, messages)
    fold(platform, USERS)


def rebuilt(platform: Platform) -> None:
    """A rebuild of all days gives what the increments gave."""
    before = state(platform, USERS)
    rebuild_changes(platform, USERS, DAY, DAY + timedelta(days=9))
    fold(platform, USERS)
    assert state(platform, USERS) == before


def test_a_source_that_was_reset_stops_the_fold_and_a_new_epoch_lets_it_go_on(platform: Platform) -> None:
    told(platform, *OLD)
    before = state(platform, USERS)
    with pytest.raises(SourceWasReset, match=r"topic bank.public.users, partition 0, offset 2.*connectors reset bank"):
        told(platform, *later(20, *NEW_LOG))
    assert state(platform, USERS) == before

    [planned] = plan(platform, "bank")
    assert (planned.table, planned.epoch, planned.rebuilt) == ("bank_users", 0, None)
    assert planned.first_offsets == {0: 2, 1: 1}
    assert state(platform, USERS) == before
    assert reset(platform, "bank") == [planned]
    fold(platform, USERS)

    assert names(platform) == {"a": "new", "c": "new"}
    assert differences(platform, USERS, epochs=[{0: 2, 1: 1}]) == []
    rebuilt(platform)


def test_what_was_folded_as_changes_of_the_old_log_is_built_anew(platform: Platform) -> None:
    told(platform, *OLD)
    told(platform, *later(9, *NEW_LOG), user(4, "d", "c", 505, name="of the old log, told late"))
    assert names(platform) == {"a": "old", "b": "A", "c": "old", "d": "of the old log, told late"}
    told(platform, *later(9, user(5, "a", "u", 13, name="newest")))
    assert names(platform)["a"] == "old"

    [done] = reset(platform, "bank", NOON + timedelta(hours=9))
    assert (done.first_offsets, done.rebuilt) == ({0: 5, 1: 1}, (DAY, DAY))
    fold(platform, USERS)
    assert names(platform)["a"] == "newest"
    assert differences(platform, USERS, epochs=[{0: 5, 1: 1}]) == []
    rebuilt(platform)


def test_a_batch_of_both_logs_is_cut_where_the_new_one_begins(platform: Platform) -> None:
    told(platform, *OLD)
    told(platform, user(2, "a", "u", 530, name="last of the old log"), *later(9, user(3, "a", "u", 10, name="new")))
    assert names(platform)["a"] == "last of the old log"

    [done] = reset(platform, "bank")
    fold(platform, USERS)
    assert (done.first_offsets, done.rebuilt) == ({0: 3, 1: 1}, (DAY, DAY))
    assert names(platform)["a"] == "new"
    assert differences(platform, USERS, epochs=[{0: 3, 1: 1}]) == []
    rebuilt(platform)


def test_an_epoch_that_begins_before_its_first_change_holds_for_what_comes_then(platform: Platform) -> None:
    told(platform, *OLD)
    for boundary in ({0: 2, 1: 1}, {0: 2, 1: 1}):
        assert [each.first_offsets for each in reset(platform, "bank")] == [boundary]
    told(platform, *NEW_LOG, user(0, "e", "c", 1, partition=2, name="of a partition that had nothing"))

    assert names(platform) == {"a": "new", "c": "new", "e": "of a partition that had nothing"}
    assert {row["change_position"][:4] for row in changes(platform, USERS)} == {"0000", "0002"}
    assert differences(platform, USERS, epochs=[{0: 2, 1: 1}, {0: 2, 1: 1}]) == []
    rebuilt(platform)


def test_an_incremental_read_in_a_new_epoch_is_newer_than_the_old_log(platform: Platform) -> None:
    told(platform, *OLD)
    reset(platform, "bank")
    told(platform, user(2, "a", "r", 3, snapshot="incremental", name="read"))
    told(platform, user(3, "b", "u", 5), user(4, "b", "r", 6, snapshot="incremental", name="read at 5"))
    told(platform, user(5, "a", "u", 2, name="changed"))

    assert names(platform) == {"a": "changed", "b": "A", "c": "old"}
    assert differences(platform, USERS, epochs=[{0: 2, 1: 1}]) == []
    rebuilt(platform)


def test_an_incremental_read_at_the_end_of_the_old_log_is_not_of_the_new_one(platform: Platform) -> None:
    told(platform, *OLD, user(2, "a", "r", 515, snapshot="incremental", name="read at 510"))
    with pytest.raises(SourceWasReset):
        told(platform, *later(20, user(3, "b", "u", 10), user(4, "c", "r", 11, snapshot="incremental", name="read")))
    for since in (None, NOON + timedelta(hours=20)):
        [planned] = plan(platform, "bank", since)
        assert planned.first_offsets == {0: 3, 1: 1}


def test_a_read_that_is_the_first_that_a_new_log_tells_is_of_it_where_the_time_is_known(platform: Platform) -> None:
    told(platform, *OLD)
    told(platform, *later(20, user(2, "a", "r", 11, snapshot="incremental", name="read")))

    [done] = reset(platform, "bank", NOON + timedelta(hours=20))
    fold(platform, USERS)
    assert done.first_offsets == {0: 2, 1: 1}
    assert names(platform)["a"] == "read"
    assert differences(platform, USERS, epochs=[{0: 2, 1: 1}]) == []


@pytest.mark.parametrize("since", [None, NOON + timedelta(hours=20)])
def test_a_dead_letter_of_the_new_log_is_replayed_as_its_change(platform: Platform, since: datetime | None) -> None:
    told(platform, *OLD)
    broken = user(0, "d", "c", 1, partition=2)._replace(value=b"\xff not JSON")
    read, misread = user(2, "a", "u", 10, name="new"), user(1, "c", "u", 12, partition=1, name="misread")
    with misreading("misread"), pytest.raises(SourceWasReset):
        told(platform, *later(20, read, misread), broken)
    [done] = reset(platform, "bank", since)
    assert done.first_offsets == {0: 2, 1: 1, 2: 1}

    fold(platform, USERS)
    assert replay_dead_letters(platform, USERS).taken == 1
    fold(platform, USERS)
    assert names(platform) == {"a": "new", "b": "A", "c": "misread"}
    assert differences(platform, USERS, epochs=[{0: 2, 1: 1, 2: 1}]) == []
    rebuilt(platform)


def test_a_dead_letter_at_the_end_of_the_old_log_is_not_of_the_new_one(platform: Platform) -> None:
    told(platform, *OLD)
    with misreading("misread"):
        told(platform, user(2, "a", "u", 530, name="misread"))
    [done] = reset(platform, "bank", NOON + timedelta(hours=20))
    assert done.first_offsets == {0: 3, 1: 1}
    told(platform, *later(20, user(3, "a", "u", 10, name="new")))
    assert replay_dead_letters(platform, USERS).taken == 1
    fold(platform, USERS)
    assert names(platform)["a"] == "new"
    assert differences(platform, USERS, epochs=[{0: 3, 1: 1}]) == []


def test_neither_redeliveries_nor_late_changes_nor_incremental_reads_are_taken_for_a_reset(platform: Platform) -> None:
    told(platform, *later(3, user(0, "a", "c", 100)), user(1, "b", "c", 200), user(0, "c", "c", 150, partition=1))
    told(platform, *later(3, user(2, "a", "c", 100)))
    told(platform, user(3, "b", "u", 190, name="late"))
    told(platform, *later(9, user(1, "d", "r", 999, partition=1, snapshot="incremental", name="read")))

    assert names(platform) == {"a": "A", "b": "A", "c": "A", "d": "read"}
    assert differences(platform, USERS) == []


def test_a_source_is_not_reset_while_messages_wait_or_days_are_gone(platform: Platform) -> None:
    told(platform, *OLD)
    append(platform.home / "events", [user(0, "d", "c", 530)._replace(offset=0)])
    with pytest.raises(NotLanded, match=r"bank_users: topic bank.public.users, partition 0, offsets 2 to 3"):
        plan(platform, "bank")
    land(platform, USERS)
    fold(platform, USERS)
    bronze = platform.open_catalog().load_table("bronze.bank_users")
    commit(bronze, summary={DROPPED_THROUGH: str(DAY)})
    with pytest.raises(CannotRebuild):
        reset(platform, "bank", NOON)
    assert epochs(platform.open_catalog().load_table("bronze.bank_users")) == []


def test_only_a_source_with_a_connector_can_be_reset(platform: Platform) -> None:
    with pytest.raises(UnknownSource, match=r"'retail'.*there are bank, shop"):
        plan(platform, "retail")
    assert plan(platform, "shop") == []


def test_a_reset_holds_for_every_table_of_the_source_that_was_landed(platform: Platform) -> None:
    accounts = contract("bank_accounts")
    messages = calm(accounts, 1, rows=3, transactions=3).stream.messages
    take(platform, accounts, messages)
    told(platform, *OLD)
    ends = {p: max(m.offset for m in messages if m.partition == p) + 1 for p in {m.partition for m in messages}}
    done = {each.table: each.first_offsets for each in reset(platform, "bank")}

    assert done == {"bank_accounts": ends, "bank_users": {0: 2, 1: 1}}
    catalog = platform.open_catalog()
    assert {t: epochs(catalog.load_table(f"bronze.{t}")) for t in done} == {t: [done[t]] for t in done}


SAME_HOUR = [user(2, "a", "u", 10, name="new"), user(1, "c", "u", 12, partition=1, name="new")]
"""Of the new log, and made so soon that only a person can tell."""


def test_what_a_fold_commits_right_before_the_epoch_begins_is_built_anew(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(platform, *OLD)
    take(platform, USERS, later(9, *SAME_HOUR))

    def begins_after_a_fold(*known: Any) -> None:
        fold(platform, USERS)
        begin(*known)

    monkeypatch.setattr("lakehouse_assets.operations.epochs.begin", begins_after_a_fold)
    [done] = reset(platform, "bank", NOON + timedelta(hours=9))
    assert done.rebuilt == (DAY, DAY)
    _assert_of_the_new_epoch(platform)


def test_a_fold_that_is_under_way_while_an_epoch_begins_takes_its_rows_as_the_new_epochs(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(platform, *OLD)
    take(platform, USERS, later(9, *SAME_HOUR))
    refused = []

    def commits_after_a_reset(*known: Any, **what: Any) -> Any:
        if not refused:
            refused.append(reset(platform, "bank", NOON + timedelta(hours=9)))
        return commit(*known, **what)

    with monkeypatch.context() as patched:
        patched.setattr("lakehouse_assets.silver.folding.commit", commits_after_a_reset)
        fold(platform, USERS)
    assert [each.rebuilt for each in refused[0]] == [None]
    _assert_of_the_new_epoch(platform)


def _assert_of_the_new_epoch(platform: Platform) -> None:
    fold(platform, USERS)
    assert names(platform) == {"a": "new", "b": "A", "c": "new"}
    assert differences(platform, USERS, epochs=[{0: 2, 1: 1}]) == []
    rebuilt(platform)
