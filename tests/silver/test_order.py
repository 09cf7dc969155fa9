"""The source's order and identity of changes, one rule at a time; each message is a batch of its own."""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver.rebuild import rebuild_changes
from lakehouse_assets.sources.messages import Message
from tests.silver.lakes import changes, current, differences, fold, refused, state, take
from tests.silver.told import NOON, UNTOLD, USERS, user

DAY = NOON.date()


def told(platform: Platform, messages: Sequence[Message]) -> None:
    """Folds message by message, compares with the model, and again after the day was built anew."""
    for message in messages:
        take(platform, USERS, [message])
        fold(platform, USERS)
    assert differences(platform, USERS) == []
    before = state(platform, USERS)
    rebuild_changes(platform, USERS, DAY, DAY)
    fold(platform, USERS)
    assert state(platform, USERS) == before


def names(platform: Platform) -> list[str]:
    return sorted(row["name"] for row in current(platform, USERS))


def test_a_late_change_does_not_replace_a_newer_one(platform: Platform) -> None:
    told(platform, [user(0, "a", "c", 1), user(1, "a", "u", 9, name="new"), user(2, "a", "u", 5, name="late")])

    assert names(platform) == ["new"]


def test_a_late_change_does_not_bring_a_deleted_key_back(platform: Platform) -> None:
    told(platform, [user(0, "a", "c", 1), user(1, "a", "d", 9), user(2, "a", "u", 5, name="late")])

    assert names(platform) == []


def test_a_key_that_is_inserted_again_is_there_again(platform: Platform) -> None:
    told(platform, [user(0, "a", "c", 1), user(1, "a", "d", 2), user(2, "a", "c", 3, name="again")])

    assert names(platform) == ["again"]


def test_an_older_change_through_another_partition_does_not_win(platform: Platform) -> None:
    told(platform, [user(0, "a", "d", 9), user(0, "a", "u", 5, partition=2, name="strayed")])

    assert names(platform) == []


def test_a_redelivery_through_another_partition_counts_once_with_the_first_place(platform: Platform) -> None:
    told(platform, [user(0, "a", "c", 5, partition=2), user(0, "a", "c", 5, partition=1), user(0, "a", "c", 5)])

    assert [(row["partition"], row["offset"]) for row in changes(platform, USERS)] == [(0, 0)]


def test_a_truncate_takes_lower_positions_that_arrive_after_it(platform: Platform) -> None:
    told(
        platform,
        [
            user(0, "a", "c", 1),
            user(1, None, "t", 5),
            user(2, "b", "c", 4, name="late"),
            user(3, "c", "c", 6, name="stays"),
            user(4, None, "t", 5),
        ],
    )

    assert names(platform) == ["stays"]


def test_an_incremental_read_is_as_new_as_the_streamed_change_of_an_earlier_batch(platform: Platform) -> None:
    told(
        platform,
        [
            user(0, "c", "r", 60),
            user(1, "b", "c", 50),
            user(2, "a", "r", 90, snapshot="incremental", name="read"),
            user(3, "a", "u", 40, name="late"),
        ],
    )
    assert "read" in names(platform)

    take(platform, USERS, [user(4, "a", "u", 55, name="changed")])
    fold(platform, USERS)
    assert "changed" in names(platform)


def test_an_untold_value_is_looked_up_again_when_a_late_change_explains_it(platform: Platform) -> None:
    told(
        platform,
        [
            user(0, "a", "c", 1, notes="first"),
            user(1, "a", "u", 9, notes=UNTOLD),
            user(2, "a", "u", 5, notes="late"),
            user(3, "a", "u", 10, notes=UNTOLD),
        ],
    )

    assert [row["notes"] for row in current(platform, USERS)] == ["late"]


def test_an_untold_value_that_nothing_explains_is_null_and_flagged_until_something_does(platform: Platform) -> None:
    told(platform, [user(0, "a", "u", 9, notes=UNTOLD)])
    assert [row["violations"] for row in current(platform, USERS)] == [["notes_is_available"]]

    take(platform, USERS, [user(1, "a", "u", 5, notes=None)])
    fold(platform, USERS)
    assert [(row["notes"], row["violations"]) for row in current(platform, USERS)] == [(None, [])]


def test_a_delete_forgets_the_known_value(platform: Platform) -> None:
    told(platform, [user(0, "a", "c", 1, notes="old"), user(1, "a", "d", 2), user(2, "a", "u", 3, notes=UNTOLD)])

    assert [row["notes"] for row in current(platform, USERS)] == [None]


def test_a_change_without_a_possible_time_is_refused_and_stops_nothing(platform: Platform) -> None:
    poison = user(1, "b", "c", 2)
    value = (poison.value or b"").replace(b'"ts_ms": 1767', b'"ts_ms": 99991767')
    for message in (user(0, "a", "c", 1), poison._replace(value=value), user(2, "c", "c", 3)):
        take(platform, USERS, [message])
        fold(platform, USERS)

    assert {row["offset"] for row in changes(platform, USERS)} == {0, 2}
    assert [(row["offset"], row["rule"]) for row in refused(platform, USERS)] == [(1, "not_representable")]
