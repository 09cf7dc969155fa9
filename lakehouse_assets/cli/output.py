"""Rows as a table for people, as CSV or as JSON for programs.

JSON is exact: decimals are strings, times ISO 8601, bytes Base64, and what JSON has no word for (NaN) is null.
Where it stops: which rows there are is the caller's.
"""

from __future__ import annotations

import base64
import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDEST = 1_000_000


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def write_rows(form: Format, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints the rows to stdout: CSV and JSON as they come."""
    match form:
        case Format.CSV:
            _write_csv(columns, rows)
        case Format.JSON:
            _write_json(columns, rows)
        case Format.TABLE:
            _print_table(columns, rows)


def write_json(value: object) -> None:
    """Prints one JSON document."""
    sys.stdout.write(json.dumps(plain(value), allow_nan=False, ensure_ascii=False) + "\n")


def plain(value: object) -> object:
    """The value in JSON's own types."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal() | UUID() | timedelta():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case Mapping():
            return {str(plain(k)): plain(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(v) for v in value]
    return str(value)


def _write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _write_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A list with one object on each line, so that it streams."""
    sys.stdout.write("[")
    for position, row in enumerate(rows):
        sys.stdout.write(",\n" if position else "\n")
        record = {name: plain(value) for name, value in zip(columns, row, strict=True)}
        sys.stdout.write(json.dumps(record, allow_nan=False, ensure_ascii=False))
    sys.stdout.write("\n]\n")


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    held = list(rows)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for position, name in enumerate(columns):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in held)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in held:
        table.add_row(*(Text(_cell(value)) for value in row))
    console = Console()
    if not console.is_terminal:  # what reads a pipe wants a row on a line, however long
        console.width = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    known = plain(value)
    return known if isinstance(known, str) else json.dumps(known, allow_nan=False, ensure_ascii=False)
