"""Orphan files: what lies in a table's folder and no snapshot, nor the table's metadata, names.

Interrupted commits, compactions and expiries leave them.

Safety: a file is only taken that is older than a day, and never one that is younger, whatever the caller asks: a writer
that has not committed yet owns it. What the table names is read after the folder was listed, so that a file that was
committed meanwhile is found there.
Where it stops: folders of tables that are no longer in the catalog are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow.fs as pafs
from pyiceberg.table import Table

from lakehouse_assets.engines.iceberg.reachable import Sizes, needed
from lakehouse_assets.engines.iceberg.storage import of_table, path_of
from lakehouse_assets.engines.platform import Platform

FLOOR = timedelta(hours=24)


class TooYoung(ValueError):
    """An age below the floor."""


@dataclass(frozen=True)
class Removed:
    """Files of the table's folder before and after; of a plan, as they would be."""

    table: str
    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int


def plan(table: Table, age: timedelta = FLOOR, now: datetime | None = None) -> Removed:
    """What would be removed; nothing is changed. Raises TooYoung."""
    held, orphaned = _orphans(table, age, now or datetime.now(UTC))
    return _removed(table, held, orphaned)


def remove_orphans(platform: Platform, identifier: str, age: timedelta = FLOOR, now: datetime | None = None) -> Removed:
    """Deletes the files that nothing names and that are older than `age`. Raises TooYoung."""
    table = platform.open_catalog().load_table(identifier)
    held, orphaned = _orphans(table, age, now or datetime.now(UTC))
    for location in sorted(orphaned):
        with suppress(FileNotFoundError):
            table.io.delete(location)
    return _removed(table, held, orphaned)


def _orphans(table: Table, age: timedelta, now: datetime) -> tuple[Sizes, Sizes]:
    if age < FLOOR:
        raise TooYoung(
            f"files younger than {FLOOR} may be of a commit under way; an age below it is refused, got {age}"
        )
    held = {f.location: f for f in _listed(table)}
    table.refresh()
    named = {path_of(location) for location in (*needed(table, table.metadata.snapshots), *_metadata(table))}
    old = {at: f.size for at, f in held.items() if path_of(at) not in named and f.modified <= now - age}
    return {at: f.size for at, f in held.items()}, old


@dataclass(frozen=True)
class _File:
    location: str
    size: int
    modified: datetime


def _listed(table: Table) -> Iterator[_File]:
    system, root = of_table(table)
    before = table.location().removesuffix(root)
    selector = pafs.FileSelector(root, recursive=True, allow_not_found=True)
    for info in system.get_file_info(selector):
        if info.type == pafs.FileType.File:
            yield _File(f"{before}{info.path}", info.size or 0, info.mtime or datetime.now(UTC))


def _metadata(table: Table) -> Iterator[str]:
    """The metadata file of the catalog, those before it that it names, and statistics."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    yield from (statistics.statistics_path for statistics in table.metadata.statistics)


def _removed(table: Table, held: Sizes, orphaned: Sizes) -> Removed:
    files, size = len(held), sum(held.values())
    return Removed(".".join(table.name()), files, size, files - len(orphaned), size - sum(orphaned.values()))
