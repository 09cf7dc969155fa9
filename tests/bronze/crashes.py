"""Landers that are killed again and again, one after the other or several at once on one table.

`crash_and_restart` is what `make test` calls with some seeds and `make chaos` with many. Where it stops: what happens
within a lander's life is `doomed`'s.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from lakehouse_assets.bronze.land import state
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.log.log import EventLog
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append

from .doomed import BATCH, EVENTS, FAULTS, LANDING, POINTS, Doom, catalog_of, live

ANY_MOMENT = "any moment"
PARTITIONS = 2

_LONG = 60
_USUAL_SECONDS = 0.4

_PRELOADED = ["lakehouse_assets.bronze.land", "lakehouse_assets.engines.log.file_log", "pyiceberg.io.pyarrow"]
_PRELOADED += ["pyiceberg.catalog.sql", "confluent_kafka.admin", "pandas", "tests.bronze.doomed"]

# A fork of a process that has imported everything and started nothing costs milliseconds.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(_PRELOADED)

Send = Callable[[list[Message]], object]


@dataclass
class Topic:
    """The log, and what was ever written to it: value by partition and offset."""

    log: EventLog
    send: Send
    holes: bool
    held: dict[tuple[int, int], bytes | None] = field(default_factory=dict)
    ends: Counter[int] = field(default_factory=Counter)

    def grow(self, count: int, chance: random.Random) -> None:
        """Messages of every kind: events, tombstones, dead letters; on files with holes as compaction leaves them."""
        messages = []
        at = Counter(self.ends)
        for _ in range(count):
            partition = chance.randrange(PARTITIONS)
            at[partition] += chance.choice([0, 0, 0, 3]) if self.holes else 0
            event = json.dumps({"event_id": chance.random()}).encode()
            value = chance.choice([event, event, event, None, b"no JSON", b"\xff"])
            self.held[partition, at[partition]] = value
            place = at[partition] - self.ends[partition]
            messages.append(Message(EVENTS.topic, partition, place, 1_767_571_200_000, b"k", value))
            at[partition] += 1
        self.send(messages)
        self.ends = at


@dataclass(frozen=True)
class Life:
    """A lander's process with its fate, and the end of the pipe on which it tells."""

    process: BaseProcess
    fate: str
    told: Connection

    def hear(self) -> Iterator[str]:
        """Until the process has ended."""
        with suppress(EOFError):
            while True:
                yield self.told.recv()


def crash_and_restart(
    home: Path, kills: int, seed: int, *, landers: int = 1, kafka: tuple[EventLog, Send] | None = None
) -> Counter[str]:
    """Lets `landers` race for a growing topic until `kills` of them were killed, then lands what is left.

    How often each point was hit: POINTS and ANY_MOMENT are kills, FAULTS and REFUSED are not. Raises AssertionError
    where bronze does not hold every message exactly once, or its counts or offsets say otherwise after any restart.
    Without `kafka`, a log and what sends to it, the log is in files under `home`.
    """
    chance = random.Random(seed)
    home.mkdir(parents=True, exist_ok=True)
    catalog_of(home).close()
    topic = Topic(*(kafka or (FileLog(home / "events"), partial(append, home / "events"))), holes=kafka is None)
    fates, hit = _fates(chance), Counter[str]()
    while sum(hit[point] for point in (*POINTS, ANY_MOMENT)) < kills:
        topic.grow(landers * chance.randint(1, 2 * BATCH), chance)
        _meet([_begin(home, topic.log, next(fates), chance) for _ in range(landers)], hit, chance)
        _require_whole(home)
    _meet([_begin(home, topic.log, "", chance)], hit, chance)
    _require_every_message_once(home, topic)
    return hit


def _fates(chance: random.Random) -> Iterator[str]:
    """Every point as often as the others, in any order."""
    while True:
        deck = [*POINTS, *FAULTS, *[ANY_MOMENT] * 3]
        chance.shuffle(deck)
        yield from deck


def _begin(home: Path, log: EventLog, fate: str, chance: random.Random) -> Life:
    told, tells = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(target=live, args=(home, log, Doom(fate, chance.randint(1, 3)), tells))
    process.start()
    tells.close()
    return Life(process, fate, told)


def _meet(lives: list[Life], hit: Counter[str], chance: random.Random) -> None:
    """Waits for every end, brings about those that come at any moment, and counts."""
    for life in lives:
        if life.fate == ANY_MOMENT:
            life.told.poll(_LONG)
            life.process.join(chance.uniform(0, _USUAL_SECONDS))
            life.process.kill()
    for life in lives:
        hit.update(said for said in life.hear() if said != LANDING)
        life.process.join(_LONG)
        if life.process.exitcode == -signal.SIGKILL:
            hit[life.fate] += 1
        else:
            assert life.process.exitcode == 0, f"a lander failed; its fate was {life.fate or 'to live'}"


def _require_whole(home: Path) -> None:
    """Metadata only: the table's counts are those of its rows, whatever was killed just now."""
    with closing(catalog_of(home)) as catalog:
        table = load(catalog, spec(EVENTS).identifier)
        snapshot = table.current_snapshot() if table else None
        if table and snapshot and snapshot.summary:
            assert state(table).consumed == int(snapshot.summary["total-records"] or 0)


def _require_every_message_once(home: Path, topic: Topic) -> None:
    with closing(catalog_of(home)) as catalog:
        table = catalog.load_table(spec(EVENTS).identifier)
        landed = table.scan(selected_fields=("partition", "offset", "data", "raw", "error")).to_arrow().to_pylist()
        known = state(table)
    found = [((r["partition"], r["offset"]), _value(r)) for r in landed]
    assert sorted(found, key=_place) == sorted(topic.held.items(), key=_place)
    dead = sum(1 for row in landed if row["error"])
    assert (known.consumed, known.landed, known.dead) == (len(landed), len(landed) - dead, dead)
    assert {p: o for p, o in known.offsets.items() if o} == dict(topic.ends)


def _value(row: dict[str, Any]) -> bytes | None:
    data: str | None = row["data"]
    return row["raw"] if row["error"] else data and data.encode()


def _place(message: tuple[tuple[int, int], bytes | None]) -> tuple[int, int]:
    return message[0]
