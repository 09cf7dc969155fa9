"""Makes and alters rows of any contract's table, within its rules but for a share that breaks one on purpose.

Keys and unique columns take the n-th value of their type, so that a reference to another table of the source can name
one of its first keys. Where it stops: which rows come and go is `changes.py`'s.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from lakehouse_assets.contracts.rules import AtLeast, Between, OneOf, RefersTo, Rule, StartsWith, Unique
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.sources.values import Value, awkward, nth, plain

Row = dict[str, Value]
Key = tuple[Value, ...]

REFERRED = 20
"""References name one of this many first keys of the other table."""
LARGE_TEXT = 3000
"""Characters of a text that PostgreSQL stores out of line."""

_PLACES = ("Deutschland", "Côte d'Ivoire", "日本", "a/b=c d", "", "United States")


@dataclass
class RowMaker:
    """`awkward` and `broken` are the shares of values and of rows; `large` that of nullable texts out of line."""

    table: Table
    numbers: random.Random
    awkward: float
    broken: float
    large: float
    _used: int = 0

    def key(self, n: int) -> Key:
        return tuple(nth(c.type, c.name, n) for c in self.table.key_columns)

    def new(self, key: Key) -> Row:
        row: Row = {c.name: self._value(c) for c in self.table.live_columns}
        row.update(zip(self.table.key, key, strict=True))
        return self._break(row)

    def vary(self, row: Row) -> Row:
        """The row with one to three columns outside its key written anew."""
        columns = [c for c in self.table.live_columns if c.name not in self.table.key]
        chosen = self.numbers.sample(columns, min(len(columns), self.numbers.randrange(1, 4)))
        return self._break({**row, **{c.name: self._value(c) for c in chosen}})

    def _value(self, column: Column) -> Value:
        if column.nullable and self.numbers.random() < 0.2:
            return None
        if column.nullable and column.type.kind == "text" and self.numbers.random() < self.large:
            return f"{self.numbers.getrandbits(64):x} é🎯 " * (LARGE_TEXT // 15)
        for rule in column.rules:
            if (bound := self._within(rule, column)) is not None:
                return bound
        return self._free(column)

    def _within(self, rule: Rule, column: Column) -> Value:
        match rule:
            case OneOf(values):
                return self.numbers.choice(values)
            case RefersTo():
                return nth(column.type, "id", self.numbers.randrange(REFERRED))
            case Unique():
                self._used += 1
                return nth(column.type, column.name, self._used)
            case StartsWith(prefix):
                return prefix + str(plain(column.type, self.numbers))
            case AtLeast(minimum):
                return self._at_least(column, minimum)
            case Between(minimum, maximum):
                return self._cast(column, minimum + (maximum - minimum) * self.numbers.randrange(5) / 4)
        return None

    def _at_least(self, column: Column, minimum: Decimal) -> Value:
        value = self._free(column)
        low = isinstance(value, int | float | Decimal) and value < minimum
        return self._cast(column, minimum) if low else value

    def _free(self, column: Column) -> Value:
        transforms = [t for t, name in self.table.partition_by if name == column.name]
        if "identity" in transforms and column.type.kind in ("text", "varchar"):
            return self.numbers.choice(_PLACES)
        # A partition of the year 9999 would be a partition for nothing.
        edge = not transforms and self.numbers.random() < self.awkward
        return awkward(column.type, self.numbers) if edge else plain(column.type, self.numbers)

    def _break(self, row: Row) -> Row:
        if self.numbers.random() >= self.broken:
            return row
        breakable = [
            (c, r) for c in self.table.live_columns for r in c.rules if isinstance(r, OneOf | AtLeast | Between)
        ]
        if not breakable:
            return row
        column, rule = self.numbers.choice(breakable)
        wrong: Value = "unheard of" if isinstance(rule, OneOf) else None
        if isinstance(rule, AtLeast | Between):
            wrong = self._cast(column, rule.minimum - 1)
        return {**row, column.name: wrong}

    def _cast(self, column: Column, value: Decimal) -> Value:
        scale = column.type.scale or 0
        return value.quantize(Decimal(1).scaleb(-scale)) if column.type.kind == "decimal" else int(value)


def violations(table: Table, row: Row) -> tuple[str, ...]:
    """The claims that a row breaks, by name, sorted."""
    return tuple(sorted(r.claim(c.name) for c in table.live_columns for r in c.row_rules if not _holds(r, row[c.name])))


def _holds(rule: Rule, value: Value) -> bool:
    if value is None:
        return True
    match rule:
        case OneOf(values):
            return value in values
        case AtLeast(minimum):
            return Decimal(str(value)) >= minimum
        case Between(minimum, maximum):
            return minimum <= Decimal(str(value)) <= maximum
        case StartsWith(prefix):
            return str(value).startswith(prefix)
    return True
