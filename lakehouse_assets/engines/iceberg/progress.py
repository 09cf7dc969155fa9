"""What came to a table after the snapshot that a reader has consumed, told by its number (the reader's mark).

The snapshots since the mark tell it exactly. Where they have expired, marks that every commit carries on tell whether
anything changed at all, or was taken back; which days did is then not known. A mark that was rolled back is never
mistaken for one that expired. Where it stops: it reads metadata only.
"""

from __future__ import annotations

import json

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from lakehouse_assets.engines.iceberg.commit import (
    CHANGED,
    DAYS,
    REBUILT,
    REBUILT_DAYS,
    RETIRED,
    ROLLED_BACK_TO,
    last_told,
)
from lakehouse_assets.engines.iceberg.commit import own_marks as said
from lakehouse_assets.engines.iceberg.scan import ancestors, is_compaction, sequence_of, snapshots_since


def moved(table: Table, mark: int) -> bool:
    """Whether rows came or went after the mark. A commit that moved only marks, compacted or retired does not count."""
    if sequence_of(table) == mark:
        return False
    newer = snapshots_since(table, mark)
    if newer is not None:
        return any(_changes_rows(s, mark) for s in newer)
    return _last(table, CHANGED) > mark or _was_left(table, mark)


def last_change(table: Table) -> int:
    """The number of the last commit that `moved` counts."""
    return _last(table, CHANGED)


def touched_days(table: Table, mark: int) -> set[str] | None:
    """ISO days that commits after the mark touched (mark `lakehouse.days`).

    None where that is not known: ancestors expired, the mark was rolled back, or a commit did not say.
    """
    if not moved(table, mark):
        return set()
    newer = snapshots_since(table, mark)
    days: set[str] = set()
    for snapshot in newer or ():
        named = said(snapshot).get(DAYS)
        if _changes_rows(snapshot, mark) and named is None:
            return None
        days.update(json.loads(named or "[]"))
    return days if newer is not None else None


def rebuilt_days(table: Table, mark: int) -> set[str] | None:
    """ISO days of which commits after the mark took rows back (mark `lakehouse.rebuilt-days`).

    None where any row may have been: the mark was rolled back, or the snapshots of a rebuild have expired.
    """
    newer = snapshots_since(table, mark)
    if newer is None:
        return None if _last(table, REBUILT) > mark or _was_left(table, mark) else set()
    if any(_takes_back(s, mark) for s in newer):
        return None
    return {day for s in newer for day in json.loads(said(s).get(REBUILT_DAYS, "[]"))}


def _changes_rows(snapshot: Snapshot, mark: int) -> bool:
    if ROLLED_BACK_TO in said(snapshot):
        return _takes_back(snapshot, mark)
    if is_compaction(snapshot) or RETIRED in said(snapshot) or snapshot.summary is None:
        return False
    found = snapshot.summary.additional_properties
    return any(int(found.get(key, 0)) for key in ("added-data-files", "deleted-data-files"))


def _takes_back(snapshot: Snapshot, mark: int) -> bool:
    """Whether it is a rollback to before the mark."""
    return int(said(snapshot).get(ROLLED_BACK_TO, mark)) < mark


def _was_left(table: Table, mark: int) -> bool:
    """Whether the ancestry goes on below the mark without it: another engine rolled it back."""
    return any((s.sequence_number or 0) < mark for s in ancestors(table)) or sequence_of(table) < mark


def _last(table: Table, key: str) -> int:
    """The carried number; the present snapshot's where nothing says it, because another engine changed the rows."""
    return int(last_told(table).get(key, sequence_of(table)))
