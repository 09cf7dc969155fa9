"""Retention: whole partitions of append-only tables go when they are older than is kept.

Bronze, changes and events keep what their contract says, marts by day seven years. Current tables, hubs, links,
satellites and dimensions are never dropped by age, nor is what was made of rows that go: their going is no news to any
reader, but for gold, which drops what its mart drops.

Safety: only whole partitions whose last day is too old, in one commit that counts the rows, so that the accounts of
the table still balance, and that names the last day that went, so that a day which needs them is never built from what
is left. What the next layer has not folded stays.
Where it stops: the files go when the snapshots that hold them expire.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.transforms import MonthTransform

from lakehouse_assets.bronze.schema import spec as bronze_spec
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.iceberg.commit import DAYS, DROPPED_THROUGH, RETIRED, RETIRED_IN_ALL, commit, marks
from lakehouse_assets.engines.iceberg.scan import bytes_of, data_files, rows_of
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.accounting import account
from lakehouse_assets.silver.bronze_slice import is_consumed, watermark
from lakehouse_assets.silver.fold_current import is_folded
from lakehouse_assets.vault.days import daily_marts

MARTS_KEEP = timedelta(days=2555)
ATTEMPTS = 50
_EPOCH = date(1970, 1, 1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Dropped:
    """Rows that went, or would, with the last day of their partitions; counts are of the table's present snapshot."""

    table: str
    through: date
    rows: int
    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int


def kept(identifier: str) -> timedelta | None:
    """How long a table keeps its rows; None for one that keeps them."""
    for contract in tables():
        if identifier == bronze_spec(contract).identifier:
            return contract.bronze_retention
        if identifier == schema.folded_name(contract) and contract.source.kind != "files":
            return contract.silver_retention
    return MARTS_KEEP if any(identifier == mart.identifier for mart in daily_marts()) else None


def plan(platform: Platform, identifier: str, today: date | None = None) -> Dropped | None:
    """What would be dropped; None where nothing is. Nothing is changed."""
    table = platform.open_catalog().load_table(identifier)
    return _described(table, _old(platform, table, today or datetime.now(UTC).date()))


def retain(platform: Platform, identifier: str, today: date | None = None) -> Dropped | None:
    """Drops what is too old. Raises Conflict where others kept committing."""
    return settled(lambda: _drop(platform, identifier, today or datetime.now(UTC).date()), ATTEMPTS)


def _drop(platform: Platform, identifier: str, today: date) -> Dropped | None:
    table = platform.open_catalog().load_table(identifier)
    files = _old(platform, table, today)
    described = _described(table, files)
    if described is not None:
        commit(table, summary=_summary(table, files, described), removed=files)
    return described


def _old(platform: Platform, table: Table, today: date) -> list[DataFile]:
    identifier = ".".join(table.name())
    keep = kept(identifier)
    if keep is None or not _is_folded(platform, table, identifier):
        return []
    return [f for f in data_files(table) if _span(table, f)[1] < today - keep]


def _is_folded(platform: Platform, table: Table, identifier: str) -> bool:
    """Whether the next layer of silver has all rows of the table."""
    for contract in tables():
        if identifier == bronze_spec(contract).identifier:
            silver = load(platform.open_catalog(), schema.folded_name(contract))
            return silver is not None and is_consumed(table, watermark(silver))
        if identifier == schema.changes_name(contract) and contract.source.kind == "cdc":
            return is_folded(platform, contract)
    return True


def _span(table: Table, file: DataFile) -> tuple[date, date]:
    """The first and last day of the file's partition."""
    [field], [value] = table.spec().fields, [file.partition[0]]
    if isinstance(field.transform, MonthTransform):
        first = date(1970 + value // 12, value % 12 + 1, 1)
        return first, date(1970 + (value + 1) // 12, (value + 1) % 12 + 1, 1) - _DAY
    day = value if isinstance(value, date) else _EPOCH + value * _DAY
    return day, day


def _summary(table: Table, files: list[DataFile], done: Dropped) -> dict[str, str]:
    known = marks(table)
    through = max(known.get(DROPPED_THROUGH, ""), done.through.isoformat())
    if done.table.startswith("marts."):
        return {DAYS: json.dumps(sorted({day.isoformat() for f in files for day in _days(table, f)}))}
    dropped: dict[str, Any] = {
        DAYS: "[]",
        RETIRED: str(done.rows),
        RETIRED_IN_ALL: str(int(known.get(RETIRED_IN_ALL, 0)) + done.rows),
        DROPPED_THROUGH: through,
    }
    return dropped | (account(known).without(done.rows).summary() if done.table.startswith("silver.") else {})


def _days(table: Table, file: DataFile) -> Iterator[date]:
    first, last = _span(table, file)
    return (first + n * _DAY for n in range((last - first).days + 1))


def _described(table: Table, files: list[DataFile]) -> Dropped | None:
    if not files:
        return None
    held = data_files(table)
    through = max(_span(table, f)[1] for f in files)
    before, gone = (len(held), bytes_of(held)), (len(files), bytes_of(files))
    left = (before[0] - gone[0], before[1] - gone[1])
    return Dropped(".".join(table.name()), through, rows_of(files), *before, *left)
