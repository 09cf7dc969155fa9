"""The words in which a table of every type is declared: a column has a type and the edge values to put into it.

Row n holds each column's n-th value, null where a column has no more; the last row is null everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """`values` are SQL literals; `truth` is the SQL expression of the value as text, the column's own name if None."""

    name: str
    type: str
    values: Sequence[str]
    truth: str | None = None


def ddl(table: str, columns: Sequence[Column]) -> str:
    listed = ", ".join(f"{c.name} {c.type} null" for c in columns)
    return f"create table {table} (id int primary key, {listed})"


def rows(columns: Sequence[Column]) -> list[list[str]]:
    longest = max(len(c.values) for c in columns)
    return [[c.values[n] if n < len(c.values) else "null" for c in columns] for n in range(longest + 1)]


def inserts(table: str, columns: Sequence[Column], first_id: int) -> list[str]:
    names = ", ".join(c.name for c in columns)
    return [
        f"insert into {table} (id, {names}) values ({first_id + n}, {', '.join(row)})"
        for n, row in enumerate(rows(columns))
    ]


def updates(table: str, columns: Sequence[Column], first_id: int) -> list[str]:
    """Each row gets the values of the row after it, and the last one those of the first."""
    values = rows(columns)
    return [
        f"update {table} set "
        + ", ".join(f"{c.name} = {v}" for c, v in zip(columns, values[(n + 1) % len(values)], strict=True))
        + f" where id = {first_id + n}"
        for n in range(len(values))
    ]


def truth_query(table: str, columns: Sequence[Column], order: str = "id") -> str:
    listed = ", ".join(f"{c.truth or c.name} as {c.name}" for c in columns)
    return f"select id, {listed} from {table} order by {order}"
