"""Which data files a read needs, planned from Iceberg's metadata.

Every reader of this project (DuckDB, ClickHouse's checks, compaction) goes through here, so that what a run reads can
be counted here. Where it stops: it opens no data file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import DataFile, ManifestEntryStatus, ManifestFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.snapshots import Operation, Snapshot, ancestors_of

from lakehouse_assets.mendable import Mendable


class UnreadableDeletes(Mendable):
    """A table holds delete files, which another engine left; compaction removes them."""


def data_files(
    table: Table, row_filter: str | BooleanExpression | None = None, snapshot_id: int | None = None
) -> list[DataFile]:
    """The files that may hold rows of the filter, by partition and column statistics. Raises UnreadableDeletes."""
    files = []
    for task in tasks(table, row_filter, snapshot_id):
        if task.delete_files:
            name = ".".join(table.name())
            raise UnreadableDeletes(f"{name} holds delete files; `lakehouse maintain compact --table {name}` first")
        files.append(task.file)
    return files


def tasks(
    table: Table, row_filter: str | BooleanExpression | None = None, snapshot_id: int | None = None
) -> list[FileScanTask]:
    """The same files, each with the delete files that apply to it."""
    if table.current_snapshot() is None:
        return []
    scan = table.scan(row_filter=row_filter if row_filter is not None else AlwaysTrue(), snapshot_id=snapshot_id)
    return list(scan.plan_files())


def manifests(table: Table) -> list[ManifestFile]:
    """Those of the present snapshot."""
    snapshot = table.current_snapshot()
    return snapshot.manifests(table.io) if snapshot is not None else []


def ancestors(table: Table) -> Iterator[Snapshot]:
    """The snapshots of `main`, newest first, as far as they have not expired."""
    return iter(ancestors_of(table.current_snapshot(), table.metadata))


def appends_since(table: Table, snapshot_id: int | None) -> list[tuple[int, list[DataFile]]] | None:
    """Per snapshot after `snapshot_id`, oldest first, the files that it appended; none for any other operation.

    None where `snapshot_id` is no longer among the ancestors. Only the manifests of those snapshots are read.
    """
    found: list[tuple[int, list[DataFile]]] = []
    for snapshot in ancestors(table):
        if snapshot.snapshot_id == snapshot_id:
            return found[::-1]
        is_append = snapshot.summary is not None and snapshot.summary.operation == Operation.APPEND
        found.append(
            (snapshot.snapshot_id, list(_files_of(table, snapshot, ManifestEntryStatus.ADDED)) if is_append else [])
        )
    return found[::-1] if snapshot_id is None and snapshots_since(table, 0) is not None else None


def sequence_of(table: Table) -> int:
    """The number of the table's present snapshot; 0 before the first. Numbers only grow, also over a rollback."""
    snapshot = table.current_snapshot()
    return (snapshot.sequence_number or 0) if snapshot is not None else 0


def snapshots_since(table: Table, sequence: int) -> list[Snapshot] | None:
    """The ancestors numbered above `sequence`, newest first.

    None where some of them have expired, or where the snapshot of that number was rolled back.
    """
    newer: list[Snapshot] = []
    for snapshot in ancestors(table):
        number = snapshot.sequence_number or 0
        if number <= sequence:
            return newer if number == sequence else None
        newer.append(snapshot)
    # A missing parent tells nothing: expiry takes the parent's id away from the snapshot that it leaves oldest.
    complete = sequence == 0 if not newer else newer[-1].sequence_number == sequence + 1
    return newer if complete else None


def changed_since(table: Table, sequence: int) -> list[DataFile] | None:
    """The files of the present snapshot that hold what commits numbered above `sequence` wrote.

    A rewritten file comes whole: the old rows in it are there too. A compacted file counts where one of the files that
    went into it does. None where the ancestry has expired or `sequence` was rolled back.
    """
    newer = snapshots_since(table, sequence)
    if newer is None:
        return None
    wrote: set[str] = set()
    for snapshot in reversed(newer):
        if not is_compaction(snapshot) or wrote & _paths(table, snapshot, ManifestEntryStatus.DELETED):
            wrote |= _paths(table, snapshot, ManifestEntryStatus.ADDED)
    return [f for f in data_files(table) if f.file_path in wrote] if wrote else []


def is_compaction(snapshot: Snapshot) -> bool:
    """Whether the snapshot holds the same rows as the one before it, in other files."""
    return snapshot.summary is not None and snapshot.summary.operation == Operation.REPLACE


def _files_of(table: Table, snapshot: Snapshot, status: ManifestEntryStatus) -> Iterator[DataFile]:
    """The data files that the snapshot itself added, or removed. Only its own manifests are read."""
    for manifest in snapshot.manifests(table.io):
        if manifest.added_snapshot_id != snapshot.snapshot_id:
            continue
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
            if entry.status == status and entry.snapshot_id == snapshot.snapshot_id:
                yield entry.data_file


def _paths(table: Table, snapshot: Snapshot, status: ManifestEntryStatus) -> set[str]:
    return {f.file_path for f in _files_of(table, snapshot, status)}


def rows_of(files: Iterable[DataFile]) -> int:
    return sum(f.record_count for f in files)


def bytes_of(files: Iterable[DataFile]) -> int:
    return sum(f.file_size_in_bytes for f in files)
