"""Expiry: old snapshots are forgotten, and the files that only they needed are deleted.

1. Choose: what is older than the table's `history.expire.max-snapshot-age-ms`, but for the newest
   `history.expire.min-snapshots-to-keep` of each branch and whatever a tag or branch names. A tag or branch with an age
   of its own, as a rollback's tag, goes when its snapshot is older.
2. Take the snapshots out of the metadata, in one commit that fails where `main` moved meanwhile.
3. Delete what they needed and no snapshot of the table as it is then needs: data first, lists of manifests last.

Safety: a file goes only after the commit that makes it unneeded. A crash before that commit leaves everything, one
after it files that nobody needs, which `orphans` removes. Marks are carried by the present snapshot, so that none goes.
Where it stops: a reader of a snapshot that is older than the age loses its files; a tag that is set on such a snapshot
in the moment of the commit is lost with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update import AssertRefSnapshotId
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

from lakehouse_assets.engines.iceberg.commit import commit, marks, own_marks
from lakehouse_assets.engines.iceberg.reachable import Sizes, needed
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.platform import Platform

AGE_MS, LEAST = "history.expire.max-snapshot-age-ms", "history.expire.min-snapshots-to-keep"
MAX_AGE_MS, MIN_SNAPSHOTS = 432_000_000, 5
"""Five days, Iceberg's default; it keeps one snapshot where this keeps five."""

ATTEMPTS = 50


@dataclass(frozen=True)
class Expired:
    """Snapshots forgotten and files deleted; of a plan, those that would be."""

    table: str
    snapshots: int
    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int


def expirable(metadata: TableMetadata, now: datetime) -> list[int]:
    """The ids of the snapshots that nothing keeps, oldest first."""
    properties = metadata.properties
    age = int(properties.get(AGE_MS, MAX_AGE_MS))
    least = int(properties.get(LEAST, MIN_SNAPSHOTS))
    moment = int(now.timestamp() * 1000)
    kept = {s.snapshot_id for s in metadata.snapshots if moment - s.timestamp_ms <= age}
    over = outlived(metadata, now)
    for ref in (ref for name, ref in metadata.refs.items() if name not in over):
        kept.add(ref.snapshot_id)
        if ref.snapshot_ref_type == SnapshotRefType.BRANCH:
            oldest = moment - (ref.max_snapshot_age_ms or age)
            line = ancestors_of(metadata.snapshot_by_id(ref.snapshot_id), metadata)
            for number, snapshot in enumerate(line):
                if number < (ref.min_snapshots_to_keep or least) or snapshot.timestamp_ms >= oldest:
                    kept.add(snapshot.snapshot_id)
    gone = (s for s in metadata.snapshots if s.snapshot_id not in kept)
    return [s.snapshot_id for s in sorted(gone, key=lambda s: s.sequence_number or 0)]


def keep_ms(table: Table) -> int:
    """How long the table keeps its snapshots, in milliseconds."""
    return int(table.metadata.properties.get(AGE_MS, MAX_AGE_MS))


def outlived(metadata: TableMetadata, now: datetime) -> list[str]:
    """The tags and branches whose own age is over, as Iceberg counts it: from when their snapshot was made."""
    moment = int(now.timestamp() * 1000)
    made = {s.snapshot_id: s.timestamp_ms for s in metadata.snapshots}
    return [
        name
        for name, ref in metadata.refs.items()
        if name != MAIN_BRANCH and ref.max_ref_age_ms and moment - made[ref.snapshot_id] > ref.max_ref_age_ms
    ]


def plan(table: Table, now: datetime | None = None) -> Expired:
    """What expiry would do; nothing is changed."""
    ids = expirable(table.metadata, now or datetime.now(UTC))
    before = needed(table, table.metadata.snapshots)
    after = needed(table, (s for s in table.metadata.snapshots if s.snapshot_id not in ids)) if ids else before
    return _expired(table, ids, before, after)


def expire(platform: Platform, identifier: str, now: datetime | None = None) -> Expired:
    """Forgets and deletes. Raises Conflict where others kept committing."""
    moment = now or datetime.now(UTC)
    ids, before = settled(lambda: _forget(platform, identifier, moment), ATTEMPTS)
    table = platform.open_catalog().load_table(identifier)
    if not ids:
        return _expired(table, ids, before, before)
    after = needed(table, table.metadata.snapshots)
    for location in _in_order(before.keys() - after.keys()):
        with suppress(FileNotFoundError):
            table.io.delete(location)
    return _expired(table, ids, before, after)


def _forget(platform: Platform, identifier: str, now: datetime) -> tuple[list[int], Sizes]:
    """The ids of the snapshots that went, and what all snapshots needed before."""
    table = keep_marks(platform.open_catalog().load_table(identifier))
    ids, over = expirable(table.metadata, now), outlived(table.metadata, now)
    before = needed(table, table.metadata.snapshots)
    if ids or over:
        table.metadata.properties["commit.retry.num-retries"] = "0"
        try:
            with table.transaction() as transaction:
                # PyIceberg itself would take the snapshots out of whatever is there by then.
                here = {"ref": "main", "snapshot-id": table.metadata.current_snapshot_id}
                transaction._stage((), (AssertRefSnapshotId.model_validate(here),))
                for name in over:
                    ManageSnapshots(transaction).remove_tag(name).commit()
                ExpireSnapshots(transaction).by_ids(ids).commit()
        except CommitFailedException as error:
            raise Conflict(f"{identifier} was changed by another writer; run it again") from error
    return ids, before


def keep_marks(table: Table) -> Table:
    """What another engine committed last carries no marks: those before it must outlive their snapshot. The table as it
    is then. Raises Conflict."""
    snapshot = table.current_snapshot()
    if snapshot is not None and not own_marks(snapshot) and marks(table):
        commit(table, summary={})
        return table.refresh()
    return table


def _in_order(locations: set[str]) -> list[str]:
    """Data, then manifests, then lists: what is left of an interrupted deletion still tells what it named."""
    return sorted(locations, key=lambda location: (location.endswith(".avro"), "/snap-" in location, location))


def _expired(table: Table, ids: Sequence[int], before: Sizes, after: Sizes) -> Expired:
    counts = (len(before), sum(before.values()), len(after), sum(after.values()))
    return Expired(".".join(table.name()), len(ids), *counts)
