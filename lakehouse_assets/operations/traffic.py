"""Appends generated user events to the event log: as fast as it goes, or at a rate until told to stop.

A later call goes on where the log ends, in time and in offsets, with a stream of its own, so that no identifier comes
twice. Where it stops: what an event looks like is `sources/events.py`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from lakehouse_assets.engines.log.kafka_log import KafkaLog
from lakehouse_assets.engines.log.log import EventLog
from lakehouse_assets.engines.log.sent import last_sent
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput
from lakehouse_assets.sources import kafka_writer, writer
from lakehouse_assets.sources.events import START, TOPIC, EventStream, Traffic
from lakehouse_assets.sources.messages import Message

Append = Callable[[Sequence[Message]], object]
"""Puts messages at the end of the log."""

BLOCK = 20_000
WAKES_PER_SECOND = 5
FURTHEST_AHEAD = timedelta(days=1)


class TooFarAhead(BadInput):
    """Events that silver would refuse, because they lie more than a day ahead; the message says what helps."""


@dataclass(frozen=True)
class LogEnd:
    """How many messages the topic's offsets have counted, and when the last of them was sent; None without any."""

    offsets: int
    at: datetime | None


def appender(platform: Platform) -> Append:
    """Into Kafka, or into the log in files."""
    if isinstance(platform.log, KafkaLog):
        return partial(kafka_writer.append, platform.log.settings)
    return partial(writer.append, platform.home / "events")


def log_end(log: EventLog, topic: str = TOPIC) -> LogEnd:
    bounds = log.bounds(topic)
    return LogEnd(sum(b.end for b in bounds.values()), last_sent(log, topic, bounds))


def stream_seed(seed: int, end: LogEnd) -> int:
    """The seed of the stream that begins at that end of the log."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{end.offsets}".encode()).digest()[:6])


def write_count(
    append: Append, log: EventLog, traffic: Traffic, count: int, wrote: Callable[[int], None] = lambda _: None
) -> int:
    """`count` events at the traffic's rate from the log's end on, at once. Raises TooFarAhead before the first."""
    end = log_end(log)
    start = end.at or START
    reached = start + timedelta(seconds=count / traffic.rate)
    if reached > datetime.now(UTC) + FURTHEST_AHEAD:
        raise TooFarAhead(
            f"{count} events at {traffic.rate:g} a second from {start:%Y-%m-%d %H:%M} reach {reached:%Y-%m-%d %H:%M},"
            " more than a day ahead; ask for fewer, or for a higher rate"
        )
    stream = EventStream(_continued(traffic, end, start))
    for done in range(0, count, BLOCK):
        block = stream.take(min(BLOCK, count - done)).messages
        append(block)
        wrote(len(block))
    return count


def write_live(
    append: Append,
    log: EventLog,
    traffic: Traffic,
    wait: Callable[[float], bool],
    seconds: float | None = None,
    wrote: Callable[[int], None] = lambda _: None,
) -> None:
    """Events as they fall due, from now on, for so many seconds or until `wait`, given seconds to pause, says true."""
    end = log_end(log)
    start = max(datetime.now(UTC), end.at or START)
    stream = EventStream(_continued(traffic, end, start))
    until = datetime.max.replace(tzinfo=UTC) if seconds is None else start + timedelta(seconds=seconds)
    due = start
    while due < until and not wait(1 / WAKES_PER_SECOND):
        due = min(until, max(due, datetime.now(UTC)))
        messages = stream.until(due).messages
        if messages:
            append(messages)
            wrote(len(messages))


def _continued(traffic: Traffic, end: LogEnd, start: datetime) -> Traffic:
    return replace(traffic, seed=stream_seed(traffic.seed, end), start=start)
