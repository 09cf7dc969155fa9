"""The messages of a captured table for any contract, together with what is true of them.

A connector restarts and tells changes again at higher offsets, some changes come late or through another partition,
offsets have holes: as the knobs say. Where it stops: `writer.py` stores the messages.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.sources.changes import Knobs, Op, history
from lakehouse_assets.sources.envelopes import envelope, headers, key_bytes
from lakehouse_assets.sources.messages import Message, partition_of
from lakehouse_assets.sources.positions import Placed, place
from lakehouse_assets.sources.rows import Key, Row, violations

_LATEST = 40
_TELLING_US = 150_000


@dataclass(frozen=True)
class TrueChange:
    """`row` is the full row after the change, None for a delete or truncate; `position` sorts in commit order.

    `unavailable` are the columns that the message does not tell, because the change did not touch them.
    """

    op: Op
    key: Key | None
    row: Row | None
    position: tuple[int, ...]
    changed_at_ms: int
    transaction: str | None
    violations: tuple[str, ...]
    unavailable: frozenset[str]


@dataclass(frozen=True)
class ChangeTruth:
    """Every change once, in the source's order, snapshot reads first; the rows that are there in the end."""

    changes: tuple[TrueChange, ...]
    current: dict[Key, Row]
    redelivered: int
    tombstones: int

    def of(self, key: Key) -> list[TrueChange]:
        """The changes of one key in their order, truncates included."""
        return [c for c in self.changes if c.key == key or c.op == "t"]


@dataclass(frozen=True)
class ChangeStream:
    messages: list[Message]
    truth: ChangeTruth


def change_stream(table: Table, seed: int, knobs: Knobs | None = None) -> ChangeStream:
    """The same messages for the same seed and knobs. Raises ValueError for a table that no database holds."""
    knobs = knobs or Knobs()
    numbers = random.Random(f"{table.id}/{seed}/travel")
    life = history(table, seed, knobs)
    placed = place(table, life, numbers, knobs)
    told = _told(placed, len(life.snapshot), numbers, knobs)
    messages = list(_messages(table, told, numbers, knobs))
    truth = ChangeTruth(
        changes=tuple(_true(table, p, knobs) for p in placed),
        current=life.rows,
        redelivered=len(told) - len(placed),
        tombstones=sum(m.value is None for m in messages),
    )
    return ChangeStream(messages, truth)


def _true(table: Table, placed: Placed, knobs: Knobs) -> TrueChange:
    change = placed.change
    return TrueChange(
        op=change.op,
        key=change.key,
        row=change.after,
        position=placed.position,
        changed_at_ms=placed.source["ts_ms"],
        transaction=placed.transaction["id"].split(":")[0] if placed.transaction else None,
        violations=violations(table, change.after) if change.after is not None else (),
        unavailable=frozenset() if knobs.full_before else change.untouched,
    )


def _told(placed: list[Placed], snapshot: int, numbers: random.Random, knobs: Knobs) -> list[Placed]:
    """The changes in the order in which the connector tells them, those after a restart twice."""
    restarts = {numbers.randrange(snapshot, len(placed)) for _ in range(knobs.restarts) if len(placed) > snapshot}
    told: list[Placed] = []
    for i, one in enumerate(placed):
        told.append(one)
        if i in restarts:
            told.extend(placed[max(snapshot, i + 1 - knobs.resent) : i + 1])
    turns = [i + (numbers.randrange(1, _LATEST) if numbers.random() < knobs.late else 0) for i in range(len(told))]
    return [told[i] for i in sorted(range(len(told)), key=lambda i: (turns[i], i))]


def _messages(table: Table, told: list[Placed], numbers: random.Random, knobs: Knobs) -> Iterator[Message]:
    offsets = [0] * knobs.partitions
    clock_us = 0
    for placed in told:
        clock_us = max(clock_us, placed.source["ts_us"]) + _TELLING_US
        key = key_bytes(table, placed.change.key)
        partition = partition_of(key, knobs.partitions)
        if numbers.random() < knobs.strayed:
            partition = numbers.randrange(knobs.partitions)
        values: list[bytes | None] = [envelope(table, placed, knobs.full_before, clock_us)]
        if placed.change.op == "d":
            values.append(None)
        for value in values:
            if numbers.random() < knobs.holes:
                offsets[partition] += 1
            yield Message(
                table.topic, partition, offsets[partition], clock_us // 1000 + 90, key, value, headers(table, placed)
            )
            offsets[partition] += 1
