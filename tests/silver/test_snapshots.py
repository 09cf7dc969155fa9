"""A complete snapshot ends by deleting the keys that it did not show, however it is cut and whenever its reads come."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from lakehouse_assets.contracts import types
from lakehouse_assets.contracts.table import Column, Source, Table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver.rebuild import rebuild_changes
from lakehouse_assets.sources.messages import Message
from tests.captures import recorded
from tests.silver.lakes import changes, current, cut, differences, fold, refused, state, take, unbalanced
from tests.silver.told import NOON, USERS, user

DAY = NOON.date()
Fact = tuple[str | None, str, int, str]
LIFE: list[Fact] = [
    ("a", "r", 10, "first"),
    ("b", "r", 10, "true"),
    ("c", "r", 10, "last"),
    ("a", "u", 20, ""),
    ("d", "c", 25, ""),
    ("a", "r", 50, "first_in_data_collection"),
    ("e", "r", 50, "last_in_data_collection"),
    ("c", "c", 60, ""),
    ("e", "u", 70, ""),
]
"""b and d, and c for a while, were deleted while nobody looked, e was inserted then."""


def told(platform: Platform, *batches: list[Message]) -> None:
    """Folds batch by batch, compares with the model, and again after the days were built anew."""
    for batch in batches:
        take(platform, USERS, batch)
        fold(platform, USERS)
    assert differences(platform, USERS) == []
    before = state(platform, USERS)
    rebuild_changes(platform, USERS, DAY, DAY + timedelta(days=1))
    fold(platform, USERS)
    assert state(platform, USERS) == before


def messages(facts: list[Fact], partitions: int = 1, first: Collection[int] = ()) -> list[Message]:
    """Each fact as a message; a key stays in its partition. Those numbered `first` name no commit before them."""
    offsets: Counter[int] = Counter()
    made = []
    for number, (key, op, lsn, snapshot) in enumerate(facts):
        partition = ord(key or "a") % partitions
        place = {"partition": partition, "snapshot": snapshot, "is_first": number in first}
        made.append(user(offsets[partition], key, op, lsn, **place, name=f"at {lsn}"))
        offsets[partition] += 1
    return made


def message(line: dict[str, Any]) -> Message:
    """A recorded line; its column v has a longer name here."""
    key, payload = (None if line[n] is None else line[n].replace('"v"', '"told"').encode() for n in ("key", "payload"))
    return Message(line["topic"], line["partition"], line["offset"], line["ts"], key, payload)


def names(platform: Platform) -> dict[str, str]:
    return {row["id"][-1]: row["name"] for row in current(platform, USERS)}


def ends(platform: Platform) -> list[tuple[int, str]]:
    """Offset and source's time of the changes that no message of their own tells."""
    return [(row["offset"], f"{row['change_time']:%H:%M}") for row in changes(platform, USERS) if row["op"] == "t"]


def test_keys_that_a_snapshot_did_not_show_are_gone_and_the_others_stay(platform: Platform) -> None:
    told(platform, *([message] for message in messages(LIFE)))

    assert names(platform) == {"a": "at 50", "c": "at 60", "e": "at 70"}
    assert ends(platform) == [(6, "12:50")]


@pytest.mark.parametrize("seed", range(3))
def test_any_order_and_any_batches_give_the_same_rows(platform: Platform, seed: int) -> None:
    facts = [*LIFE, *LIFE[4:7], ("b", "u", 15, ""), (None, "t", 12, ""), ("f", "u", 55, "")]
    Random(seed).shuffle(facts)
    told(platform, *map(list, cut(messages(facts, 3), 4, seed)))

    assert names(platform) == {"a": "at 50", "c": "at 60", "e": "at 70", "f": "at 55"}


def test_reads_that_come_after_the_last_one_from_other_partitions_stay(platform: Platform) -> None:
    first, last, late = (messages(LIFE, 3)[i] for i in (0, 6, 5))
    assert first.partition == late.partition != last.partition
    told(platform, [first], [last._replace(offset=0)], [late._replace(offset=1)])

    assert names(platform) == {"a": "at 50", "e": "at 50"}


def test_a_first_snapshot_adds_nothing_until_a_change_below_it_arrives(platform: Platform) -> None:
    told(platform, messages(LIFE[:5]))
    assert len(changes(platform, USERS)) == 5
    assert names(platform).keys() == {"a", "b", "c", "d"}

    told(platform, [user(5, "f", "c", 5), user(6, "b", "u", 6)])
    assert names(platform).keys() == {"a", "b", "c", "d"}
    assert ends(platform) == [(2, "12:10")]


def test_a_snapshot_whose_last_read_is_refused_ends_all_the_same(platform: Platform) -> None:
    facts = messages(LIFE)
    facts[6] = user(6, "e", "r", 50, snapshot="last", created_at="soon")
    told(platform, facts)

    assert [row["offset"] for row in refused(platform, USERS)] == [6]
    assert names(platform) == {"a": "at 50", "c": "at 60", "e": "at 70"}


@pytest.mark.parametrize("case", ["never ended", "on demand", "incremental"])
def test_a_snapshot_that_is_not_complete_deletes_nothing(platform: Platform, case: str) -> None:
    facts = messages(LIFE)
    mark = {"never ended": "true", "on demand": "last", "incremental": "incremental"}[case]
    envelope = json.loads(facts[6].value or b"")
    envelope["source"]["snapshot"] = mark
    if case == "on demand":
        envelope["source"]["sequence"] = '["45","50"]'
    facts[6] = facts[6]._replace(value=json.dumps(envelope).encode())
    told(platform, facts)

    assert names(platform).keys() == {"a", "b", "c", "d", "e"}


def test_a_snapshot_that_was_begun_again_or_told_again_ends_once(platform: Platform) -> None:
    begun_again = [*LIFE[:6], *LIFE[5:7], *LIFE[5:7], *LIFE[7:]]
    told(platform, messages(begun_again[:8]), messages(begun_again)[8:])

    assert names(platform) == {"a": "at 50", "c": "at 60", "e": "at 70"}
    assert ends(platform) == [(7, "12:50")]


@pytest.mark.parametrize("database", ["postgres", "mariadb"])
@pytest.mark.parametrize("batches", [1, 6])
def test_a_recorded_snapshot_after_a_gap_leaves_what_the_database_held(
    platform: Platform, database: str, batches: int
) -> None:
    schema = "public" if database == "postgres" else f"resnapshot_{database}"
    source = Source(
        name="resnapshot",
        kind="cdc",
        description="Recorded.",
        owner="nobody",
        topic=f"resnapshot_{database}.envelope.{schema}.{{table}}",
        connector="postgresql" if database == "postgres" else "mysql",
    )
    columns = (Column("id", types.integer, "Key."), Column("told", types.varchar(40), "Value.", nullable=True))
    table = Table(source, "kept", "Recorded.", ("id",), columns)
    recording = recorded.HERE / f"resnapshot_{database}"
    told = [message(line) for line in recorded.messages(recording / "envelope", table.topic)]
    for chunk in cut(told, batches, 1):
        take(platform, table, chunk)
        fold(platform, table)

    held = [{"id": str(row["id"]), "v": row["told"]} for row in current(platform, table)]
    assert sorted(held, key=str) == sorted(recorded.truth(recording, "kept"), key=str)
    assert unbalanced(platform, table) == []


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("batches", [1, 4, 12])
def test_a_transaction_that_was_open_during_a_snapshot_changes_what_the_snapshot_read(
    platform: Platform, partitions: int, batches: int
) -> None:
    """It wrote a, d and e before the snapshot of 50, which shows a and b, and committed after it."""
    before: list[Fact] = [("a", "c", 5, ""), ("d", "c", 6, ""), ("b", "c", 7, ""), ("d", "d", 40, "")]
    snapshot: list[Fact] = [("a", "r", 50, "first"), ("b", "r", 50, "last")]
    first: list[Fact] = [("a", "u", 30, ""), ("e", "c", 31, ""), ("d", "c", 32, ""), ("b", "d", 55, "")]
    facts = [*before, *snapshot, *first, ("a", "u", 60, ""), ("f", "c", 61, "")]
    made = messages(facts, partitions, range(6, 10))
    told(platform, *cut(made[:10], batches, seed=batches))
    assert names(platform) == {"a": "at 30", "d": "at 32", "e": "at 31"}
    told(platform, made[10:])
    assert names(platform) == {"a": "at 60", "d": "at 32", "e": "at 31", "f": "at 61"}
