"""Messages that expired before they were landed are given up by a person, once, and on record."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lakehouse_assets.bronze.land import Landed, land
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.bronze.skip import SKIPPED, Gap, gaps, skip
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform

from .lander import EVENTS, counts, event, places, write_events


def _expire(platform: Platform, partition: int, messages: int) -> None:
    path = platform.home / "events" / EVENTS.topic / f"{partition}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[messages:]))


def test_what_expired_is_shown_given_up_once_and_stays_on_record(platform: Platform) -> None:
    write_events(platform, [event(n) for n in range(3)])
    write_events(platform, [event(n) for n in range(2)], partition=1)
    land(platform, EVENTS)
    assert gaps(platform, EVENTS) == []
    write_events(platform, [event(n) for n in range(3, 9)])
    _expire(platform, 0, messages=5)
    found = gaps(platform, EVENTS)
    assert found == [Gap(0, 3, 5)]
    skip(platform, EVENTS, found)
    assert gaps(platform, EVENTS) == []
    assert land(platform, EVENTS) == Landed(4, 0, 1)
    assert places(platform, EVENTS) == [*((0, n) for n in (0, 1, 2, 5, 6, 7, 8)), (1, 0), (1, 1)]
    assert counts(platform, EVENTS) == (9, 9, 0)
    kept = marks(platform.open_catalog().load_table(spec(EVENTS).identifier))
    assert json.loads(kept[SKIPPED]) == [{"partition": 0, "first": 3, "end": 5}]


def test_more_that_expired_since_it_was_shown_is_not_given_up_unseen(platform: Platform) -> None:
    write_events(platform, [event(0)])
    land(platform, EVENTS)
    write_events(platform, [event(n) for n in range(1, 6)])
    _expire(platform, 0, messages=2)
    found = gaps(platform, EVENTS)
    _expire(platform, 0, messages=1)
    with pytest.raises(Conflict, match="look again"):
        skip(platform, EVENTS, found)
    with pytest.raises(LogError, match="the next offset to land is 1, the log holds offsets 3 to 6"):
        land(platform, EVENTS)


def test_a_topic_that_was_cut_or_made_again_is_not_skipped_over(platform: Platform) -> None:
    write_events(platform, [event(n) for n in range(4)])
    land(platform, EVENTS)
    path = platform.home / "events" / EVENTS.topic / "0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LogError, match="it lost messages that were landed"):
        gaps(platform, EVENTS)
    path.write_bytes(whole)
    (path.parent / "topic-id").write_text("another")
    with pytest.raises(LogError, match="made again"):
        gaps(replace(platform), EVENTS)
