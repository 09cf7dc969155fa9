"""A raw row judged against its table: every column cast, then its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .inputs import Row
from .tables import Table
from .values import NotCastable, ValueEncoding, decode


@dataclass(frozen=True)
class Refused:
    """A message or CSV row that silver does not hold. `rule` is the first broken one, in the model's own words."""

    topic: str
    partition: int
    offset: int
    rule: str


def judged(described: Table, raw: Mapping[str, Any], encoding: ValueEncoding) -> tuple[Row, str | None]:
    """The typed row and the first broken rule; the row is incomplete where a value cannot be cast."""
    row: Row = {}
    broken = None
    for column in described.columns:
        try:
            row[column.name] = decode(column, raw.get(column.name), encoding)
        except NotCastable:
            broken = broken or f"{column.name}_is_castable"
        else:
            broken = broken or column.broken_rule(row[column.name])
    return row, broken
