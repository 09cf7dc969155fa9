"""The life of one table: its rows at first, then transactions that insert, update, delete, re-key and truncate.

Everything follows from a seed and knobs. Where it stops: positions in the database's log are `positions.py`'s, the
messages `change_stream.py`'s.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.sources.rows import LARGE_TEXT, Key, Row, RowMaker

Op = Literal["r", "c", "u", "d", "t"]
START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Knobs:
    """How much happens, and how awkwardly.

    `inserts` to `key_updates` are weights of what a transaction does next, `same_key` the share of steps that stay on
    the key of the step before. `awkward`, `broken` and `large` are shares of values, rows and nullable texts. The
    last group is how messages travel: shares of changes that are late or in a partition not their key's, how often
    the connector restarts and how many changes it then sends again, and the share of offsets that are left out.
    """

    rows: int = 30
    transactions: int = 80
    largest_transaction: int = 4
    inserts: int = 25
    updates: int = 45
    deletes: int = 10
    reinserts: int = 8
    key_updates: int = 4
    same_key: float = 0.3
    truncates: int = 0
    awkward: float = 0.25
    broken: float = 0.0
    large: float = 0.2
    interleaved: float = 0.2
    start: datetime = START
    days: int = 3
    full_before: bool = False
    """PostgreSQL's REPLICA IDENTITY FULL; MySQL always tells the row before."""
    partitions: int = 3
    late: float = 0.0
    strayed: float = 0.0
    restarts: int = 1
    resent: int = 15
    holes: float = 0.0


@dataclass(frozen=True)
class Change:
    """`key` is None for a truncate. `moved` is the other key of a key update, which is a delete, then a create.

    `untouched` are columns whose large value the update did not write.
    """

    op: Op
    key: Key | None
    before: Row | None = None
    after: Row | None = None
    moved: Key | None = None
    untouched: frozenset[str] = frozenset()


Transaction = tuple[Change, ...]


@dataclass(frozen=True)
class History:
    """Snapshot reads, the transactions in commit order, and the rows that are there in the end."""

    snapshot: tuple[Change, ...]
    transactions: tuple[Transaction, ...]
    rows: dict[Key, Row]


def history(table: Table, seed: int, knobs: Knobs) -> History:
    numbers = random.Random(f"{table.id}/{seed}")
    life = _Life(table, numbers, knobs)
    snapshot = tuple(Change("r", change.key, after=change.after) for _ in range(knobs.rows) for change in life.insert())
    truncated = {knobs.transactions * (i + 1) // (knobs.truncates + 1) for i in range(knobs.truncates)}
    transactions = [life.truncate() if i in truncated else life.transact() for i in range(knobs.transactions)]
    return History(snapshot, tuple(t for t in transactions if t), life.rows)


@dataclass
class _Life:
    table: Table
    numbers: random.Random
    knobs: Knobs
    rows: dict[Key, Row] = field(default_factory=dict)
    _gone: list[Key] = field(default_factory=list)
    _keys: int = 0

    def __post_init__(self) -> None:
        k = self.knobs
        large = k.large if self.table.source.connector == "postgresql" else 0.0
        self._maker = RowMaker(self.table, self.numbers, k.awkward, k.broken, large)

    def transact(self) -> Transaction:
        changes: list[Change] = []
        for _ in range(self.numbers.randrange(1, self.knobs.largest_transaction + 1)):
            stay = changes and self.numbers.random() < self.knobs.same_key
            changes.extend(self._again(changes[-1].key) if stay else self._step())
        return tuple(changes)

    def insert(self) -> list[Change]:
        self._keys += 1
        return self._insert(self._maker.key(self._keys - 1))

    def truncate(self) -> Transaction:
        self._gone.extend(self.rows)
        self.rows.clear()
        return (Change("t", None),)

    def _step(self) -> list[Change]:
        k = self.knobs
        weights = (k.inserts, k.updates, k.deletes, k.reinserts, k.key_updates)
        kind = self.numbers.choices(("insert", "update", "delete", "reinsert", "rekey"), weights)[0]
        if kind == "reinsert" and self._gone:
            return self._insert(self._gone.pop(self.numbers.randrange(len(self._gone))))
        if kind in ("insert", "reinsert") or not self.rows:
            return self.insert()
        key = self.numbers.choice(list(self.rows))
        return {"update": self._update, "delete": self._delete, "rekey": self._rekey}[kind](key)

    def _again(self, key: Key | None) -> list[Change]:
        if key is None:
            return self.insert()
        if key not in self.rows:
            if key in self._gone:
                self._gone.remove(key)
            return self._insert(key)
        return self._update(key) if self.numbers.random() < 0.6 else self._delete(key)

    def _insert(self, key: Key, row: Row | None = None, moved: Key | None = None) -> list[Change]:
        self.rows[key] = row if row is not None else self._maker.new(key)
        return [Change("c", key, after=self.rows[key], moved=moved)]

    def _update(self, key: Key) -> list[Change]:
        before, after = self.rows[key], self._maker.vary(self.rows[key])
        if before == after and self.table.source.connector == "mysql":
            return []  # MySQL logs no event for an update that changes nothing
        self.rows[key] = after
        large = {name for name, value in after.items() if isinstance(value, str) and len(value) >= LARGE_TEXT // 2}
        kept = {c.name for c in self.table.live_columns if c.type.kind == "text" and c.nullable}
        untouched = frozenset(n for n in large & kept if before[n] == after[n] and self._maker.large)
        return [Change("u", key, before, after, untouched=untouched)]

    def _delete(self, key: Key) -> list[Change]:
        self._gone.append(key)
        return [Change("d", key, self.rows.pop(key))]

    def _rekey(self, key: Key) -> list[Change]:
        self._keys += 1
        fresh = self._maker.key(self._keys - 1)
        before = self.rows.pop(key)
        self._gone.append(key)
        row = {**before, **dict(zip(self.table.key, fresh, strict=True))}
        return [Change("d", key, before, moved=fresh), *self._insert(fresh, row, moved=key)]
