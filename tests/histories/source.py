"""A database of one table that lives through the steps, and the connector that tells of it.

The connector tells changes in commit order but for the late ones, some through another partition than their key's, some
twice. Where it stops: `deliver` hands messages over; who lands them is `play`'s.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse_assets.sources.messages import Message
from tests.histories.shapes import KINDS, Shape
from tests.histories.steps import Change, Delete, Garbage, Read, Redeliver, Rekey, Resnapshot, Truncate, Write

UNTOLD = "__debezium_unavailable_value"
PARTITIONS = 3
LOGS = 3
"""So many logs begin below the one before them."""
_HOUR = timedelta(hours=1)
_GARBAGE: tuple[bytes, ...] = (b"", b"not JSON", b"[1]", b'{"op": "x"}', b"\xff\xfe", b'{"op": "c", "source": {}}')
Row = dict[str, Any]


@dataclass
class Source:
    """`rows` is the table as it is, by the key's number; `told` every message that a redelivery can repeat; `begun` the
    next offsets of each time that the log began anew, `began` when it last did."""

    shape: Shape
    clock: datetime
    counts: Counter[str] = field(default_factory=Counter)
    rows: dict[int, Row] = field(default_factory=dict)
    told: list[Message] = field(default_factory=list)
    begun: list[dict[int, int]] = field(default_factory=list)
    began: datetime | None = None
    _held: list[tuple[int, Message]] = field(default_factory=list)
    _due: list[Message] = field(default_factory=list)
    _offsets: Counter[int] = field(default_factory=Counter)
    _commit: int = 1_000_000
    _log: int = 1_000_000
    _row: int = 0

    def begin(self, rows: int) -> None:
        """The rows that are there from the first, as the first snapshot reads them."""
        self.rows = {number: self._first_row() for number in range(rows)}
        self._read_all(0)

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
            case Resnapshot():
                self.snapshot(step)
            case Redeliver():
                self.redeliver(step)
            case Garbage():
                self.garbage(step)

    def write(self, step: Write) -> None:
        before, digits = self.rows.get(step.key), step.values
        row = dict(before) if before else self._first_row()
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
            self._tell(step.key, "u", {**shown, **wrong}, late=step.late)
            return
        self.rows[step.key] = row
        self._tell(step.key, "u" if before else "c", shown, late=step.late, stray=step.stray)

    def delete(self, step: Delete) -> None:
        self._advance()
        self.rows.pop(step.key, None)
        self._gone(step.key, step.late, step.stray)

    def rekey(self, step: Rekey) -> None:
        key, other = step.key, step.other
        if key == other or key not in self.rows or other in self.rows:
            self.delete(Delete(key, step.late))
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
        """The connector reads while it tells changes, not before."""
        if step.key in self.rows and self.told:
            self.counts["read"] += 1
            self._tell(step.key, "r", self.rows[step.key], "incremental")

    def snapshot(self, step: Resnapshot) -> None:
        """An empty table would be shown by no read: one row stays."""
        self._advance()
        self.counts["snapshot"] += 1
        for number in sorted(self.rows)[1:]:
            if step.gone >> number & 1:
                del self.rows[number]
        self._read_all(step.late)

    def redeliver(self, step: Redeliver) -> None:
        if self.told:
            self.counts["duplicate"] += 1
            message = self.told[-1 - step.back % len(self.told)]
            partition = step.stray - 1 if step.stray else message.partition
            self._send(message._replace(partition=partition), 0)

    def garbage(self, step: Garbage) -> None:
        self.counts["dead"] += 1
        self._send(Message(self.shape.topic, 0, 0, 0, b"{}", _GARBAGE[step.kind % len(_GARBAGE)]), 0)

    def begin_anew(self) -> None:
        """The log, after the last of the old one was delivered: its place is a hundredth, the clock goes on."""
        self.counts["reset"] += 1
        self.begun.append({partition: self._offsets[partition] for partition in range(PARTITIONS)})
        self.told.clear()
        self.clock = self.began = self.clock + 2 * _HOUR
        self._commit = self._log = 1_000_000 // 100 ** len(self.begun)

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

    def _first_row(self) -> Row:
        return {name: KINDS[kind].values[1] for name, kind in self._columns()}

    def _advance(self, joined: bool = False) -> None:
        """On to the next transaction, some of which wrote to the log before the one that committed before them."""
        self.clock += _HOUR
        if joined:
            self._row += 1
            self._log += 1
            return
        self._commit, self._log, self._row = self._log + 50, self._log + 100, 0

    def _read_all(self, late: int) -> None:
        """Every row, all at one place of the log; every other one is late."""
        numbers = sorted(self.rows)
        for number in numbers:
            mark = "last" if number == numbers[-1] else "true"
            self._tell(number, "r", self.rows[number], mark, late=late * (number % 2))
        self._log += 100
        self._commit = self._log

    def _gone(self, number: int, late: int, stray: int) -> None:
        self.counts["delete"] += 1
        self._tell(number, "d", None, late=late, stray=stray)
        tombstone = Message(self.shape.topic, self._partition(number, stray), 0, 0, self._key(number), None)
        self._send(tombstone, late)

    def _tell(
        self, number: int | None, op: str, row: Row | None, snapshot: str = "false", late: int = 0, stray: int = 0
    ) -> None:
        key = self.shape.key_of(number) if number is not None else None
        after = None if row is None else {**(key or {}), **row}
        before = key if op == "d" else None
        value = {"op": op, "before": before, "after": after, "source": self._place(snapshot), "ts_ms": 1}
        told_key = None if number is None else self._key(number)
        message = Message(self.shape.topic, self._partition(number, stray), 0, 0, told_key, _json(value))
        self._send(message, late)
        if snapshot != "incremental":
            self.told.append(message)

    def _place(self, snapshot: str) -> dict[str, Any]:
        block: dict[str, Any] = {"ts_ms": int(self.clock.timestamp() * 1000), "snapshot": snapshot}
        if self.shape.feed == "postgresql":
            # Every third transaction wrote before the one that committed before it.
            lsn = self._log - (75 if snapshot == "false" and self._commit // 100 % 3 == 0 else 0)
            committed = None if snapshot != "false" else str(self._commit)
            return {**block, "lsn": lsn, "sequence": json.dumps([committed, str(lsn)]), "txId": self._commit}
        return {**block, "file": f"mysql-bin.{1 + self._log // 2000:06d}", "pos": self._log, "row": self._row}

    def _key(self, number: int) -> bytes:
        return _json(self.shape.key_of(number))

    def _partition(self, number: int | None, stray: int) -> int:
        return stray - 1 if stray else (number or 0) % PARTITIONS

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
