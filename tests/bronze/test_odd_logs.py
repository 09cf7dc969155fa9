"""Logs as they are in practice, in files and on Kafka: whatever is odd about them, each message lands once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lakehouse_assets.bronze.land import Landed, has_news, land
from lakehouse_assets.engines.log import log
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append

from ..engines.log.broker import Broker, NamedLog
from .lander import EVENTS, counts, event, places, rows, write_events


@dataclass(frozen=True)
class Lake:
    """A platform and what sends to its log; a message's partition decides its place, not its offset."""

    platform: Platform
    send: Callable[[list[Message]], object]

    def write(self, *values: bytes | None, partition: int = 0) -> None:
        stamp = 1_767_571_200_000
        self.send([Message(EVENTS.topic, partition, n, stamp, b"7", value) for n, value in enumerate(values)])


@pytest.fixture(params=["files", "kafka"])
def odd(platform: Platform, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lake]:
    if request.param == "files":
        yield Lake(platform, lambda messages: append(platform.home / "events", messages))
        return
    broker = Broker()
    yield Lake(replace(platform, log=NamedLog(broker.settings)), broker.send)


def test_a_message_of_ten_megabytes_lands_among_small_ones(platform: Platform) -> None:
    large = json.dumps({"event_id": "large", "url": "é" * 5_000_000}, ensure_ascii=False).encode()
    sent: list[bytes | None] = [event(0), large, event(2)]
    write_events(platform, sent)
    assert land(platform, EVENTS) == Landed(3, 0, 1)
    assert [row["data"].encode() for row in rows(platform, EVENTS)] == sent


def test_large_messages_close_a_batch_before_its_count_does(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "BATCH_BYTES", 10_000_000)
    write_events(platform, [json.dumps({"event_id": str(n), "url": "x" * 4_000_000}).encode() for n in range(9)])
    done = land(platform, EVENTS)
    assert (done.consumed, done.dead) == (9, 0)
    assert done.commits >= 2
    assert places(platform, EVENTS) == [(0, n) for n in range(9)]


def test_messages_that_a_broker_drops_before_they_landed_are_an_error_and_lose_nothing_more(
    platform: Platform,
) -> None:
    broker = Broker()
    lake = Lake(replace(platform, log=NamedLog(broker.settings)), broker.send)
    lake.write(event(0), event(1))
    land(lake.platform, EVENTS)
    lake.write(*[b"x" * 2_000_000] * 6)  # it keeps about five megabytes
    with pytest.raises(LogError, match=r"partition 0: the next offset to land is 2, the log holds offsets [3-7] to 8"):
        land(lake.platform, EVENTS)
    assert places(platform, EVENTS) == [(0, 0), (0, 1)]


def test_a_batch_of_nothing_but_dead_letters_is_counted_and_not_landed_again(odd: Lake) -> None:
    odd.write(*[b"no JSON"] * 5)
    assert land(replace(odd.platform, batch_messages=5), EVENTS) == Landed(5, 5, 1)
    assert land(odd.platform, EVENTS) == Landed()
    assert counts(odd.platform, EVENTS) == (5, 0, 5)


def test_partitions_that_come_later_are_landed_from_their_start(odd: Lake) -> None:
    odd.write(event(0), event(1))
    land(odd.platform, EVENTS)
    odd.write(event(2), partition=3)
    odd.write(event(3), partition=1)
    assert has_news(odd.platform, EVENTS)
    assert land(odd.platform, EVENTS) == Landed(2, 0, 1)
    assert places(odd.platform, EVENTS) == [(0, 0), (0, 1), (1, 0), (3, 0)]


def test_a_partition_without_a_message_is_no_news_twice(odd: Lake) -> None:
    odd.write(event(0))
    if isinstance(odd.platform.log, NamedLog):
        assert len(odd.platform.log.bounds(EVENTS.topic)) == 4
    else:
        (odd.platform.home / "events" / EVENTS.topic / "1.jsonl").touch()
    assert land(odd.platform, EVENTS) == Landed(1, 0, 1)
    assert not has_news(odd.platform, EVENTS)
    assert land(odd.platform, EVENTS) == Landed()


def _empty(platform: Platform, partition: int) -> Path:
    path = platform.home / "events" / EVENTS.topic / f"{partition}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


def test_an_empty_topic_is_remembered_so_that_what_expires_before_its_first_landing_is_noticed(
    platform: Platform,
) -> None:
    _empty(platform, 0)
    assert land(platform, EVENTS) == Landed(0, 0, 1)
    assert rows(platform, EVENTS) == []
    assert not has_news(platform, EVENTS)
    append(platform.home / "events", [Message(EVENTS.topic, 0, 5, 1_767_571_200_000, None, event(5))])
    with pytest.raises(LogError, match="partition 0: the next offset to land is 0, the log holds offsets 5 to 6"):
        land(platform, EVENTS)


@pytest.mark.parametrize("known", [True, False])
def test_a_partition_whose_first_messages_expired_before_any_landed_is_an_error(
    platform: Platform, known: bool
) -> None:
    write_events(platform, [event(0)])
    if known:
        _empty(platform, 1)
    land(platform, EVENTS)
    append(platform.home / "events", [Message(EVENTS.topic, 1, 40, 1_767_571_200_000, None, event(40))])
    with pytest.raises(LogError, match="partition 1: the next offset to land is 0, the log holds offsets 40 to 41"):
        land(platform, EVENTS)
    assert places(platform, EVENTS) == [(0, 0)]


def test_a_compacted_log_with_holes_lands_what_is_there_and_counts_it(platform: Platform) -> None:
    kept = [3, 4, 9, 40, 41, 90]
    sent = [Message(EVENTS.topic, 0, n, 1_767_571_200_000, None, event(n)) for n in kept]
    append(platform.home / "events", sent[:4])
    assert land(replace(platform, batch_messages=2), EVENTS) == Landed(4, 0, 2)
    append(platform.home / "events", [m._replace(offset=m.offset - 41) for m in sent[4:]])
    assert land(replace(platform, batch_messages=2), EVENTS) == Landed(2, 0, 1)
    assert places(platform, EVENTS) == [(0, n) for n in kept]
    assert counts(platform, EVENTS) == (6, 6, 0)
