"""A database of one table that lives through the steps, and the connector that tells of it.

The connector tells changes in commit order but for the late ones, some through another partition than their key's, some
twice. Where it stops: `deliver` hands messages over; who lands them is `play`'s.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse_assets.sources.messages import Message
from tests.histories.shapes import KEYS, KINDS, Shape
from tests.histories.steps import Change, Delete, Garbage, Read, Redeliver, Rekey, Truncate, Write

UNTOLD = "__debezium_unavailable_value"
PARTITIONS = 3
_HOUR = timedelta(hours=1)
_GARBAGE: tuple[bytes, ...] = (b"", b"not JSON", b"[1]", b'{"op": "x"}', b"\xff\xfe", b'{"op": "c", "source": {}}')
Row = dict[str, Any]


@dataclass
class Source:
    """`rows` is the table as it is; `told` every message that a redelivery can repeat."""

    shape: Shape
    clock: datetime
    counts: Counter[str] = field(default_factory=Counter)
    rows: dict[Any, Row] = field(default_factory=dict)
    told: list[Message] = field(default_factory=list)
    _held: list[tuple[int, Message]] = field(default_factory=list)
    _due: list[Message] = field(default_factory=list)
    _offsets: Counter[int] = field(default_factory=Counter)
    _commit: int = 1000
    _log: int = 1000
    _row: int = 0

    def snapshot(self, rows: int) -> None:
        """The rows that the first snapshot reads, all at one place of the log."""
        for number in range(rows):
            key = KEYS[self.shape.key][number]
            self.rows[key] = {n: KINDS[k].values[1] for n, k in self._columns()}
            self._tell(key, "r", self.rows[key], "true")
        self._log += 100

    def take(self, step: Change) -> None:
        match step:
            case Write():
                self.write(step)
            case Delete():
                self.delete(step)
            case Rekey():
                self.rekey(step)
            case Truncate():
                self.truncate(step)
            case Read():
                self.read(step)
            case Redeliver():
                self.redeliver(step)
            case Garbage():
                self.garbage(step)

    def write(self, step: Write) -> None:
        key, digits = self._key(step.key), step.values
        before = self.rows.get(key)
        row = dict(before) if before else {n: KINDS[k].values[1] for n, k in self._columns()}
        kept = set()
        for name, kind in self._columns():
            digits, digit = divmod(digits, 6)
            if digit:
                row[name] = KINDS[kind].values[(digit - 1) % len(KINDS[kind].values)]
            elif before and name in self.shape.leaves_out:
                kept.add(name)
        shown = {**row, **dict.fromkeys(kept, UNTOLD)}
        wrong = {n: KINDS[k].wrong for n, k in self._columns() if KINDS[k].wrong is not None}
        self._advance(step.joined and bool(self.told))
        if step.wrong and wrong:
            self.counts["misfit"] += 1
            self._tell(key, "u", {**shown, **wrong}, late=step.late)
            return
        self.rows[key] = row
        self._tell(key, "u" if before else "c", shown, late=step.late, stray=step.stray)

    def delete(self, step: Delete) -> None:
        self._advance()
        key = self._key(step.key)
        self.rows.pop(key, None)
        self._gone(key, step.late, step.stray)

    def rekey(self, step: Rekey) -> None:
        key, other = self._key(step.key), self._key(step.other)
        if key == other or key not in self.rows or other in self.rows:
            self.delete(Delete(step.key, step.late))
            return
        self._advance()
        self.counts["rekey"] += 1
        self.rows[other] = self.rows.pop(key)
        self._gone(key, step.late, 0)
        self._tell(other, "c", self.rows[other], late=step.late)

    def truncate(self, step: Truncate) -> None:
        self._advance()
        self.counts["truncate"] += 1
        self.rows.clear()
        self._tell(None, "t", None, late=step.late)

    def read(self, step: Read) -> None:
        key = self._key(step.key)
        if key in self.rows:
            self.counts["read"] += 1
            self._tell(key, "r", self.rows[key], "incremental")

    def redeliver(self, step: Redeliver) -> None:
        if self.told:
            self.counts["duplicate"] += 1
            message = self.told[-1 - step.back % len(self.told)]
            partition = step.stray - 1 if step.stray else message.partition
            self._send(message._replace(partition=partition), 0)

    def garbage(self, step: Garbage) -> None:
        self.counts["dead"] += 1
        self._send(Message(self.shape.topic, 0, 0, 0, b"{}", _GARBAGE[step.kind % len(_GARBAGE)]), 0)

    def deliver(self, everything: bool = False) -> list[Message]:
        """The messages that are due, or all, at their offsets."""
        if everything:
            self._due += [message for _, message in self._held]
            self._held = []
        due, self._due = self._due, []
        placed = []
        for message in due:
            placed.append(message._replace(offset=self._offsets[message.partition]))
            self._offsets[message.partition] += 1
        return placed

    def _columns(self) -> list[tuple[str, str]]:
        return list(zip(self.shape.names, self.shape.columns, strict=True))

    def _key(self, number: int) -> Any:
        return KEYS[self.shape.key][number]

    def _advance(self, joined: bool = False) -> None:
        """On to the next transaction, some of which wrote to the log before the one that committed before them."""
        self.clock += _HOUR
        if joined:
            self._row += 1
            self._log += 1
            return
        self._commit, self._log, self._row = self._log + 50, self._log + 100, 0

    def _gone(self, key: Any, late: int, stray: int) -> None:
        self.counts["delete"] += 1
        self._tell(key, "d", None, late=late, stray=stray)
        tombstone = Message(self.shape.topic, self._partition(key, stray), 0, 0, _json({"id": key}), None)
        self._send(tombstone, late)

    def _tell(self, key: Any, op: str, row: Row | None, snapshot: str = "false", late: int = 0, stray: int = 0) -> None:
        after = None if row is None else {"id": key, **row}
        before = {"id": key} if op == "d" else None
        value = {"op": op, "before": before, "after": after, "source": self._place(snapshot), "ts_ms": 1}
        told_key = None if op == "t" else _json({"id": key})
        message = Message(self.shape.topic, self._partition(key, stray), 0, 0, told_key, _json(value))
        self._send(message, late)
        if snapshot == "false":
            self.told.append(message)

    def _place(self, snapshot: str) -> dict[str, Any]:
        block: dict[str, Any] = {"ts_ms": int(self.clock.timestamp() * 1000), "snapshot": snapshot}
        if self.shape.feed == "postgresql":
            # Every third transaction wrote before the one that committed before it.
            lsn = self._log - (75 if self._commit // 100 % 3 == 0 else 0)
            committed = None if snapshot != "false" else str(self._commit)
            return {**block, "lsn": lsn, "sequence": json.dumps([committed, str(lsn)]), "txId": self._commit}
        return {**block, "file": f"mysql-bin.{1 + self._log // 2000:06d}", "pos": self._log, "row": self._row}

    def _partition(self, key: Any, stray: int) -> int:
        return stray - 1 if stray else zlib.crc32(_json(key)) % PARTITIONS

    def _send(self, message: Message, late: int) -> None:
        """Late by so many messages; what was held back before comes as soon as its turn is over."""
        self.counts["message"] += 1
        self.counts["late"] += late > 0
        self._held = [(turns - 1, waiting) for turns, waiting in self._held]
        self._due += [waiting for turns, waiting in self._held if turns <= 0]
        self._held = [(turns, waiting) for turns, waiting in self._held if turns > 0]
        if late:
            self._held.append((late, message))
        else:
            self._due.append(message)


def begin(shape: Shape, early: bool) -> Source:
    return Source(shape, datetime(2019, 12, 30, tzinfo=UTC) if early else datetime(2026, 1, 5, tzinfo=UTC))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
