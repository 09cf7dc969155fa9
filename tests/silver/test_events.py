"""Events, however they came, against the independent model."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.user_event import UserEvent, to_json
from tests.scenario import events
from tests.silver.contradictions import contradicted_events
from tests.silver.lakes import current, cut, differences, fold, open_platform, refused, state, take

EVENTS = contract("clickstream_user_events")
NOON_MS = 1_767_960_000_000
"""2026-01-09T12:00:00Z."""


def event(partition: int, offset: int, page: str, event_id: str = "e", at_ms: int = NOON_MS) -> Message:
    value = to_json(UserEvent(event_id, 1, "click", page, at_ms, "web"))
    return Message(EVENTS.topic, partition, offset, at_ms, b"1", value)


def test_a_stream_with_every_fault_gives_what_the_model_says(platform: Platform) -> None:
    batch = events(5)
    take(platform, EVENTS, batch.messages)
    fold(platform, EVENTS)

    assert differences(platform, EVENTS) == []
    assert len(current(platform, EVENTS)) == len(batch.truth.valid)


@pytest.mark.parametrize("seed", range(3))
def test_any_batches_of_contradicting_events_give_the_same_tables(tmp_path: Path, seed: int) -> None:
    messages = contradicted_events(seed)
    states = []
    for batches in (1, 5):
        with open_platform(tmp_path / str(batches)) as platform:
            for chunk in cut(messages, batches, seed):
                take(platform, EVENTS, chunk)
                fold(platform, EVENTS)
            assert differences(platform, EVENTS) == []
            states.append(state(platform, EVENTS))
    assert states[0] == states[1]


def test_an_earlier_offset_that_arrives_later_wins_and_all_copies_are_judged_again(platform: Platform) -> None:
    for partition, chunk in ((1, ["/b", "/b", "/a"]), (0, ["/a"])):
        take(platform, EVENTS, [event(partition, i, page) for i, page in enumerate(chunk)])
        fold(platform, EVENTS)

    assert [(row["partition"], row["page"]) for row in current(platform, EVENTS)] == [(0, "/a")]
    assert sorted((row["partition"], row["offset"]) for row in refused(platform, EVENTS)) == [(1, 0), (1, 1)]
    assert differences(platform, EVENTS) == []


def test_a_copy_of_an_earlier_offset_takes_the_place_of_the_stored_one(platform: Platform) -> None:
    for partition in (2, 0):
        take(platform, EVENTS, [event(partition, 0, "/a")])
        fold(platform, EVENTS)

    assert [row["partition"] for row in current(platform, EVENTS)] == [0]
    assert refused(platform, EVENTS) == []
    assert differences(platform, EVENTS) == []


def test_an_unchanged_stream_makes_no_snapshot(platform: Platform) -> None:
    take(platform, EVENTS, [event(0, 0, "/a")])
    fold(platform, EVENTS)
    before = platform.open_catalog().load_table(schema.current_name(EVENTS)).current_snapshot()
    fold(platform, EVENTS)

    assert platform.open_catalog().load_table(schema.current_name(EVENTS)).current_snapshot() == before
