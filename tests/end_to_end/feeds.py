"""What the end-to-end tests feed a lakehouse with: the recordings, and generated sources in batches.

Where it stops: it fills the log and the folders of files; landing is the lakehouse's.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.sources.files import Delivery, write_delivery
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append, copy_capture
from tests.recordings import SAMPLES
from tests.scenario import events, retail, scenario

RECORDED = ("bank", "shop")


def record(home: Path) -> None:
    """The recordings of both databases, a few days of events with faults and a small chain's deliveries."""
    for source in RECORDED:
        copy_capture(SAMPLES / f"{source}-string", home / "events")
    append(home / "events", events(1, count=3000).messages)
    for delivery in retail(1).deliveries:
        write_delivery(home / "files", delivery)


def generated(seed: int, batches: int) -> list[tuple[list[list[Message]], Delivery]]:
    """Every source in so many batches, wherever these cut a transaction or a restart: late and stray changes, holes,
    truncates, deletes, keys that come again. The last batch begins with changes that were told before."""
    numbers = random.Random(seed)
    feeds: list[list[list[Message]]] = [[] for _ in range(batches)]
    for table in tables():
        if table.source.kind == "cdc":
            messages = scenario(table, seed, strayed=0.05).stream.messages
            _deal(feeds, messages, numbers)
            feeds[-1].insert(0, list(messages[:60]))
    _deal(feeds, events(seed, count=900).messages, numbers)
    return list(zip(feeds, retail(seed, increments=batches - 1).deliveries, strict=True))


def feed(home: Path, messages: Iterable[list[Message]], delivery: Delivery) -> None:
    """Appends one batch, each list at the ends of its partitions."""
    for each in messages:
        append(home / "events", _at_the_end(each))
    write_delivery(home / "files", delivery)


def _deal(feeds: list[list[list[Message]]], messages: Sequence[Message], numbers: random.Random) -> None:
    """One more list for every batch, of random lengths."""
    cuts = sorted(numbers.randrange(len(messages)) for _ in feeds[1:])
    for batch, (begin, end) in zip(feeds, pairwise([0, *cuts, len(messages)]), strict=True):
        batch.append(list(messages[begin:end]))


def _at_the_end(messages: Iterable[Message]) -> list[Message]:
    """The writer adds offsets to where a partition ends: they begin at 0 in each, the holes between them stay."""
    first: dict[int, int] = {}
    return [m._replace(offset=m.offset - first.setdefault(m.partition, m.offset)) for m in messages]
