"""When messages of a topic were sent, from a message or so of each partition.

Where it stops: the times are the log's own, by the clock of whoever sent; they order nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from lakehouse_assets.engines.log.log import Bounds, EventLog


def first_sent(log: EventLog, topic: str, starts: Mapping[int, int], bounds: Mapping[int, Bounds]) -> datetime | None:
    """When the oldest of the messages from `starts` on was sent; None where there is none. Raises LogError."""
    return min(_sent(log, topic, starts, bounds), default=None)


def last_sent(log: EventLog, topic: str, bounds: Mapping[int, Bounds]) -> datetime | None:
    """When the topic's last message was sent; None where it has none. Raises LogError."""
    return max(_sent(log, topic, {p: held.end - 1 for p, held in bounds.items()}, bounds), default=None)


def _sent(log: EventLog, topic: str, starts: Mapping[int, int], bounds: Mapping[int, Bounds]) -> Iterator[datetime]:
    """Of the first message of each partition from `starts` on."""
    for partition, held in bounds.items():
        start = max(starts.get(partition, held.start), held.start)
        if start >= held.end:
            continue
        batch = next(log.read(topic, {partition: start}, {partition: held.end}, 1), None)
        stamps = batch.messages.column("timestamp_ms").to_pylist() if batch is not None else []
        yield from (datetime.fromtimestamp(stamp / 1000, UTC) for stamp in stamps if stamp is not None)
