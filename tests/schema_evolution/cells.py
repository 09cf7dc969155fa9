"""What can happen to a table of a database, cell by cell: its contract before and after, and what the source tells.

Every table has an `id`, a `name` and the one column that the cell is about. Keys 1 and 2 are told at first, 2 is
changed and 3 made once the source has another schema, 4 once the contract has it too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lakehouse_assets.contracts.table import Column, Source, Table
from lakehouse_assets.contracts.types import LogicalType, bigint, decimal, double, integer, real, text
from lakehouse_assets.sources.messages import Message

KEYS = ((1, 2), (2, 3), (4,))
"""Told in each stage: before the source changes, after that, and after the contract follows."""
FIRST_DAY = date(2026, 1, 5)
"""Of the first stage; each has a day of its own."""

SOURCES = {
    "postgresql": Source(
        "pg", "cdc", "PostgreSQL.", "team:data", "pg.public.{table}", "postgresql", database="pg", schema="public"
    ),
    "mariadb": Source("maria", "cdc", "MariaDB.", "team:data", "maria.shop.{table}", "mysql", database="shop"),
}
ID = Column("id", bigint, "The key.")
NAME = Column("name", text, "What stays as it is.")

Columns = tuple[Column, ...]


@dataclass(frozen=True)
class Cell:
    """`column` is the source's name for the column before and after; `values` what the keys of each stage hold in it.

    `before` and `after` are the contract's columns, None where there is no contract; `follows` is the stage in which
    the contract changes. `unseen` is what the source shows in rows that it never told again. `refused` are columns of
    a contract that cannot be.
    """

    name: str
    change: str
    contract: str
    column: tuple[str | None, str | None]
    values: tuple[tuple[Any, ...], ...]
    before: Columns | None
    after: Columns | None
    follows: int = 2
    unseen: Any = None
    refused: Columns = ()
    reverses: bool = False

    def table(self, source: Source, phase: int) -> Table | None:
        """The contract as of a phase."""
        columns = self.before if phase < self.follows else self.after
        if columns is None:
            return None
        order = (*columns, NAME, ID) if self.reverses and phase >= self.follows else (ID, NAME, *columns)
        return Table(source, self.name, f"{self.change}.", ("id",), order)

    def attempts(self, source: Source) -> Iterator[Table]:
        """Contracts that must be refused."""
        table = self.table(source, 0)
        for column in self.refused:
            assert table is not None
            yield replace(table, columns=tuple(column if c.name == column.name else c for c in table.columns))

    def rows(self, stage: int) -> Iterator[dict[str, Any]]:
        """Rows as the connector tells them."""
        for key, value in zip(KEYS[stage], self.values[stage], strict=False):
            column = self.column[min(stage, 1)]
            row = {"id": key, "name": f"n{key}", **({column: value} if column else {})}
            yield dict(reversed(row.items())) if self.reverses and stage else row

    def messages(self, source: Source, stage: int) -> Iterator[Message]:
        """At the end of the topic."""
        start = sum(map(len, self.values[:stage]))
        for offset, row in enumerate(self.rows(stage), start):
            op = "u" if stage and row["id"] in KEYS[0] else "c"
            yield _message(source, self.name, offset, op, row)

    @property
    def truth(self) -> list[tuple[int, int, Any]]:
        """Stage, key and value of every message, in order; of the value what the source holds where it told none."""
        told = [
            (stage, key, value)
            for stage, (keys, values) in enumerate(zip(KEYS, self.values, strict=False))
            for key, value in zip(keys, values, strict=False)
        ]
        return [(s, k, self.unseen if self.column[min(s, 1)] is None else v) for s, k, v in told]


def _message(source: Source, table: str, offset: int, op: str, row: dict[str, Any]) -> Message:
    stage = 0 if offset < 2 else 1 if offset < 4 else 2
    moment = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=stage, minutes=offset)
    place: dict[str, Any] = {"file": "bin.000001", "pos": 1000 + offset, "row": 0}
    if source.connector == "postgresql":
        place = {"lsn": 1000 + offset, "sequence": json.dumps([str(1000 + offset), str(1000 + offset)])}
    milliseconds = int(moment.timestamp() * 1000)
    envelope = {
        "op": op,
        "before": None,
        "after": row,
        "source": {"connector": source.connector, "ts_ms": milliseconds, "snapshot": "false", **place},
        "ts_ms": milliseconds,
    }
    key = json.dumps({"id": row["id"]}).encode()
    return Message(source.topic.format(table=table), 0, offset, milliseconds, key, json.dumps(envelope).encode())


def _column(name: str, kind: LogicalType = text, **settings: Any) -> Columns:
    return (Column(name, kind, "What the cell is about.", **{"nullable": True, **settings}),)


_LABEL = _column("label")
_TEXTS = (("a", "b"), ("B", "c"), ("d",))

CELLS = (
    Cell(
        "add_nullable", "Add a nullable column", "the column", (None, "note"), _TEXTS, (), _column("note"),
    ),
    Cell(
        "add_with_default", "Add a column with a default", "the column with `default`", (None, "level"),
        ((1, 1), (2, 3), (4,)), (), _column("level", integer, nullable=False, default="1"), unseen=1,
    ),
    Cell(
        "drop", "Drop a column", "`retired=True`", ("fax", None), (("a", "b"), (None, None), (None,)),
        _column("fax"), _column("fax", retired=True),
    ),
    Cell(
        "rename_declared", "Rename a column, declared before it happens", "`renamed_from`", ("label", "title"), _TEXTS,
        _LABEL, _column("title", renamed_from="label"), follows=1,
    ),
    Cell(
        "rename_undeclared", "Rename a column, declared later", "`renamed_from`", ("label", "title"), _TEXTS,
        _LABEL, _column("title", renamed_from="label"),
    ),
    Cell(
        "widen_int", "Widen int to bigint", "the wider type", ("count", "count"),
        ((1, 2), (3_000_000_000, 4_000_000_000), (5,)), _column("count", integer), _column("count", bigint),
    ),
    Cell(
        "widen_float", "Widen real (float) to double", "the wider type", ("ratio", "ratio"),
        ((0.5, 0.25), (1e300, 2.5e200), (2.5,)), _column("ratio", real), _column("ratio", double),
    ),
    Cell(
        "widen_decimal", "Widen a decimal's precision", "the wider type", ("price", "price"),
        (("1.50", "2.50"), ("1234567.89", "2345678.90"), ("3.50",)),
        _column("price", decimal(6, 2)), _column("price", decimal(12, 2)),
    ),
    Cell(
        "narrow", "Narrow bigint to int", "nothing: the wider type holds both", ("count", "count"),
        ((3_000_000_000, 2), (3, 4), (5,)), _column("count", bigint), _column("count", bigint),
        refused=_column("count", integer),
    ),
    Cell(
        "incompatible", "Change int to text", "the column `retired`, and one of the new type with `renamed_from`",
        ("code", "code"), ((1, 2), ("n/a", "x-3"), ("y-4",)), _column("code", integer),
        (*_column("code", integer, retired=True), *_column("code_text", renamed_from="code")),
        refused=_column("code"),
    ),
    Cell(
        "reorder", "Reorder the columns", "the new order, or nothing", ("label", "label"), _TEXTS, _LABEL, _LABEL,
        reverses=True,
    ),
    Cell(
        "new_table", "Create a table", "the table: its topic is read from the first message that the log holds",
        ("label", "label"), _TEXTS, None, _LABEL,
    ),
    Cell(
        "dropped_table", "Drop a table", "no such table: nothing is removed",
        ("label", "label"), _TEXTS[:1], _LABEL, None,
    ),
)  # fmt: skip
