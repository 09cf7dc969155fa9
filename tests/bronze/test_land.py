"""Every message of a log lands exactly once, whatever happens in between, and nothing is skipped in silence."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakehouse_assets.bronze import land as landing
from lakehouse_assets.bronze.land import Landed, land
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg import commit as committing
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append, copy_capture

from ..scenario import calm, events, scenario
from .lander import EVENTS, Interrupted, counts, event, places, rows, snapshots, write_events

SAMPLE = Path(__file__).parents[2] / "sample_data"
USERS = registry.table("bank_users")


def _told(messages: list[Message]) -> list[tuple[int, int]]:
    return sorted((m.partition, m.offset) for m in messages)


@pytest.mark.parametrize("folder", ["bank-string", "shop-default"])
def test_every_message_of_a_recording_lands_once(platform: Platform, folder: str) -> None:
    copy_capture(SAMPLE / folder, platform.home / "events")
    table = registry.table("bank_users" if folder.startswith("bank") else "shop_products")
    told = []
    with gzip.open(SAMPLE / folder / f"{table.topic}.jsonl.gz", "rb") as recorded:
        for line in recorded:
            message = json.loads(line)
            told.append((message["partition"], message["offset"]))
    done = land(replace(platform, batch_messages=400), table)
    assert places(platform, table) == sorted(told)
    assert done.consumed == len(told)
    assert done.dead == 0
    assert done.commits == -(-len(told) // 400)


def test_the_lag_of_a_run_is_that_of_its_oldest_change(platform: Platform) -> None:
    changes = calm(USERS, 3, rows=5, transactions=5).stream.messages
    append(platform.home / "events", [*changes, *events(1, count=20).messages])
    committed = [json.loads(m.value)["source"]["ts_ms"] for m in changes if m.value is not None]
    of_changes, of_events = land(platform, USERS).oldest, land(platform, EVENTS).oldest
    assert of_changes is not None
    assert of_events is not None
    assert of_changes.timestamp() * 1000 == min(committed)
    assert of_events.timestamp() * 1000 == min(m.timestamp_ms for m in events(1, count=20).messages)
    assert land(platform, USERS).oldest is None


@pytest.mark.parametrize("table_id", ["bank_users", "shop_user_sessions"])
def test_every_awkward_message_lands_once_in_its_place(platform: Platform, table_id: str) -> None:
    table = registry.table(table_id)
    stream = scenario(table, seed=11).stream
    append(platform.home / "events", stream.messages)
    land(replace(platform, batch_messages=37), table)
    landed = rows(platform, table)
    assert [(r["partition"], r["offset"]) for r in landed] == _told(stream.messages)
    assert sum(r["is_tombstone"] for r in landed) == stream.truth.tombstones
    assert [r["error"] for r in landed if r["error"]] == []
    told = {(m.partition, m.offset): m.headers for m in stream.messages}
    assert {(r["partition"], r["offset"]): tuple(r["headers"]) for r in landed} == told


def test_a_second_run_lands_nothing_and_makes_no_snapshot(platform: Platform) -> None:
    write_events(platform, [event(n) for n in range(5)])
    assert land(platform, EVENTS) == Landed(5, 0, 1)
    assert land(platform, EVENTS) == Landed(0, 0, 0)
    assert snapshots(platform, EVENTS) == 1


def test_new_messages_and_new_partitions_are_landed_from_where_each_ended(platform: Platform) -> None:
    write_events(platform, [event(0), event(1)])
    land(platform, EVENTS)
    write_events(platform, [event(2)])
    write_events(platform, [event(3), event(4)], partition=2)
    assert land(platform, EVENTS).consumed == 3
    assert places(platform, EVENTS) == [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1)]


def test_a_topic_that_is_not_there_yet_lands_nothing_and_makes_an_empty_table(platform: Platform) -> None:
    assert land(platform, EVENTS) == Landed()
    assert rows(platform, EVENTS) == []


def test_a_dead_letter_keeps_its_bytes_and_the_reason_and_the_run_goes_on(platform: Platform) -> None:
    bad = [b"hello", b"\xff\xfe", b"[1]", b'{"a": NaN}', b""]
    write_events(platform, [event(0), *bad, event(1)])
    assert land(platform, EVENTS) == Landed(7, 5, 1)
    dead = [r for r in rows(platform, EVENTS) if r["error"]]
    assert [r["raw"] for r in dead] == bad
    assert [r["error"] for r in dead] == [
        "the value is not JSON",
        "the value is not UTF-8",
        "the value is not a JSON object",
        "the value is not JSON",
        "the value is not JSON",
    ]
    assert {r["data"] for r in dead} == {None}
    assert [r["raw"] for r in rows(platform, EVENTS) if not r["error"]] == [None, None]


def test_a_batch_of_nothing_but_dead_letters_moves_the_offsets_on(platform: Platform) -> None:
    write_events(platform, [b"x", b"y"])
    assert land(platform, EVENTS) == Landed(2, 2, 1)
    assert land(platform, EVENTS) == Landed()
    assert counts(platform, EVENTS) == (2, 0, 2)


def test_counts_add_up_over_batches_and_runs(platform: Platform) -> None:
    batch = events(seed=4, count=300)
    append(platform.home / "events", batch.messages[:200])
    small = replace(platform, batch_messages=64)
    first = land(small, EVENTS)
    append(platform.home / "events", _renumbered(batch.messages[200:]))
    second = land(small, EVENTS)
    consumed, landed, dead = counts(platform, EVENTS)
    assert consumed == first.consumed + second.consumed == len(batch.messages) == len(rows(platform, EVENTS))
    assert dead == first.dead + second.dead == sum(1 for r in rows(platform, EVENTS) if r["error"])
    assert landed == consumed - dead
    assert dead > 0


def _renumbered(messages: list[Message]) -> list[Message]:
    seen: Counter[int] = Counter()
    found = []
    for message in messages:
        found.append(message._replace(offset=seen[message.partition]))
        seen[message.partition] += 1
    return found


def test_progress_is_told_in_messages(platform: Platform) -> None:
    write_events(platform, [event(n) for n in range(5)])
    told: list[int] = []
    land(replace(platform, batch_messages=2), EVENTS, told.append)
    assert told == [2, 2, 1]


def test_a_second_lander_in_between_makes_the_first_one_stop_and_nothing_doubles(platform: Platform) -> None:
    write_events(platform, [event(n) for n in range(6)])
    slow = replace(platform, log=Interrupted(platform.log, lambda: _land_all(platform)), batch_messages=2)
    assert land(slow, EVENTS) == Landed()
    assert places(platform, EVENTS) == [(0, n) for n in range(6)]
    assert counts(platform, EVENTS) == (6, 6, 0)


def _land_all(platform: Platform) -> None:
    land(platform, EVENTS)


def test_landers_that_race_to_the_commit_leave_each_message_once_and_no_file_behind(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(platform, [event(n) for n in range(6)])
    write, raced = landing.write_files, []

    def another_commits_after_the_files_were_written(table: Any, found: pa.Table) -> Any:
        files = write(table, found)
        if not raced:
            raced.append(1)
            land(platform, EVENTS)
        return files

    monkeypatch.setattr(landing, "write_files", another_commits_after_the_files_were_written)
    assert land(platform, EVENTS) == Landed()
    assert places(platform, EVENTS) == [(0, n) for n in range(6)]
    named = {task.file.file_path.removeprefix("file://") for task in _handle(platform).scan().plan_files()}
    assert {str(path) for path in (platform.home / "warehouse").rglob("*.parquet")} == named


def _handle(platform: Platform, table: Table = EVENTS) -> Any:
    return platform.open_catalog().load_table(spec(table).identifier)


def test_a_commit_that_moved_no_offsets_in_between_costs_no_message(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(platform, [event(n) for n in range(4)])
    write, raced = landing.write_files, []

    def compaction_comes_between(table: Any, found: pa.Table) -> Any:
        files = write(table, found)
        if not raced:
            raced.append(1)
            committing.commit(_handle(platform), summary={})
        return files

    monkeypatch.setattr(landing, "write_files", compaction_comes_between)
    assert land(platform, EVENTS) == Landed(4, 0, 1)
    assert places(platform, EVENTS) == [(0, n) for n in range(4)]


def test_a_landing_that_fails_before_its_commit_leaves_nothing_and_the_next_lands_all(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(platform, [event(n) for n in range(4)])

    def fails(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(landing, "commit", fails)
        with pytest.raises(OSError, match="no space"):
            land(platform, EVENTS)
    assert rows(platform, EVENTS) == []
    assert land(platform, EVENTS) == Landed(4, 0, 1)
    assert places(platform, EVENTS) == [(0, n) for n in range(4)]
