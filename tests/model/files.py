"""CSV files: rows in landing order, the latest valid row per key."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache
from typing import Any

from .inputs import Inputs, Row, Rows
from .rules import Refused, judged
from .tables import Table, table


@dataclass(frozen=True)
class Line:
    """One CSV row. `offset` counts a table's rows from 0 over all its files; `row` is None where the number of fields
    is not the header's."""

    offset: int
    row: dict[str, str] | None


def retail(inputs: Inputs, table_id: str) -> Rows:
    """`silver.retail_<table>`: the table's columns; the latest row per key that keeps every rule."""
    return _folded(inputs, table_id)[0]


def refused_rows(inputs: Inputs, table_id: str) -> tuple[Refused, ...]:
    """The rows that silver does not hold; the earlier row of their key stays."""
    return _folded(inputs, table_id)[1]


def lines_of(inputs: Inputs, described: Table) -> list[Line]:
    """A table's rows in landing order. A file with the bytes of an earlier one was landed already; blank lines are
    no rows."""
    lines: list[Line] = []
    for content in dict.fromkeys(inputs.files.get(described.id, ())):
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        header = next(reader, [])
        for fields in filter(None, reader):
            row = dict(zip(header, fields, strict=True)) if len(fields) == len(header) else None
            lines.append(Line(len(lines), row))
    return lines


@cache
def _folded(inputs: Inputs, table_id: str) -> tuple[Rows, tuple[Refused, ...]]:
    described = table(table_id)
    latest: dict[Any, Row] = {}
    refused: list[Refused] = []
    for line in lines_of(inputs, described):
        if line.row is None:
            continue
        row, broken = judged(described, line.row, "csv")
        if broken is None:
            latest[tuple(row[name] for name in described.key)] = row
        else:
            refused.append(Refused(described.topic, 0, line.offset, broken))
    return list(latest.values()), tuple(refused)
