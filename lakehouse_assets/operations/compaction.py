"""Compaction: few large files, sorted, in the place of many small ones.

1. Plan each partition by its files' sizes and by the position deletes that another engine left.
2. Write the rows of the files that are due anew, sorted as the table says.
3. Swap the files in one snapshot per partition, which carries every mark forward and is no news to any reader. Where
   another writer committed meanwhile the swap is made over what is there now, as long as the old files still are.

Safety: rows, ids and `load_sequence` stay what they were. A crash before the swap leaves files that no snapshot names;
one after it leaves nothing to do. A run again finds only what is due then.
Where it stops: old files go when their snapshots expire (`expiry`). Delete files that no data file needs any more stay
named until then; nobody reads them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table

from lakehouse_assets.engines.iceberg.commit import commit, discard
from lakehouse_assets.engines.iceberg.rewrite_files import rewrite_files
from lakehouse_assets.engines.iceberg.scan import bytes_of, manifests, tasks
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.platform import Platform

ATTEMPTS = 50
"""A lander that commits every second is met now and then, never so often in a row."""


@dataclass(frozen=True)
class Sizes:
    """When files are due, in bytes and files.

    Defaults: `small` and `large` as shares of the target and `least_files` are Iceberg's `rewrite_data_files`
    (min-file-size 75%, max-file-size 180%, min-input-files 5); target and `fragment` are Amoro's self-optimizing
    (target-size 128 MB, fragment-ratio 8). `manifests` is Iceberg's commit.manifest.min-count-to-merge.
    """

    target: int = 128 * 1024 * 1024
    small: float = 0.75
    large: float = 1.8
    fragment: float = 1 / 8
    least_files: int = 5
    manifests: int = 100


@dataclass(frozen=True)
class Group:
    """The files of one partition that are due; `partition` is a path such as `change_date=2026-01-05`."""

    table: str
    partition: str
    tasks: tuple[FileScanTask, ...]

    @property
    def files(self) -> list[DataFile]:
        return [t.file for t in self.tasks]


@dataclass(frozen=True)
class Compacted:
    """`snapshot_id` is None where nothing was swapped: another writer had replaced the files first."""

    table: str
    partition: str
    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int
    snapshot_id: int | None


def due(found: Sequence[FileScanTask], sizes: Sizes) -> list[FileScanTask]:
    """Which files of one partition are to be written anew; none where that is not worth it.

    All that are too small or too large where together they fill a file; else the fragments, where they are many. A file
    with deletes, or one too large, always.
    """
    wrong = [t for t in found if t.delete_files or not _fits(t.file, sizes)]
    must = [t for t in wrong if t.delete_files or t.file.file_size_in_bytes > sizes.large * sizes.target]
    if must or (len(wrong) > 1 and bytes_of(t.file for t in wrong) > sizes.target):
        return wrong
    fragments = [t for t in wrong if t.file.file_size_in_bytes < sizes.fragment * sizes.target]
    return fragments if len(fragments) >= sizes.least_files else []


def plan(table: Table, sizes: Sizes = Sizes()) -> list[Group]:
    """What is due in each partition. Files of a partition spec that is no longer the table's are left as they are."""
    by_partition: dict[str, list[FileScanTask]] = defaultdict(list)
    for task in tasks(table):
        if task.file.spec_id == table.spec().spec_id:
            by_partition[table.spec().partition_to_path(task.file.partition, table.schema())].append(task)
    name = ".".join(table.name())
    chosen = ((partition, due(found, sizes)) for partition, found in sorted(by_partition.items()))
    return [Group(name, partition, tuple(files)) for partition, files in chosen if files]


def compact(platform: Platform, identifier: str, sizes: Sizes = Sizes()) -> Iterator[Compacted]:
    """Yields each partition as it is done. Raises RowsDiffer, and Conflict where others kept committing."""
    catalog = platform.open_catalog()
    for group in plan(catalog.load_table(identifier), sizes):
        table = catalog.load_table(identifier)
        with platform.open_duckdb() as conn:
            added = rewrite_files(conn, table, group.tasks, sizes.target)
        yield _swapped(platform, group, added)
    if merged := _merge_manifests(platform, identifier, sizes):
        yield merged


def _swapped(platform: Platform, group: Group, added: Sequence[DataFile]) -> Compacted:
    snapshot_id = settled(lambda: _swap(platform, group, added), ATTEMPTS)
    if snapshot_id is None:
        discard(platform.open_catalog().load_table(group.table), added)
        added = group.files
    before, after = (len(group.files), bytes_of(group.files)), (len(added), bytes_of(added))
    return Compacted(group.table, group.partition, *before, *after, snapshot_id)


def _fits(file: DataFile, sizes: Sizes) -> bool:
    return sizes.small * sizes.target <= file.file_size_in_bytes <= sizes.large * sizes.target


def _swap(platform: Platform, group: Group, added: Iterable[DataFile]) -> int | None:
    """The snapshot; None where a file of the group has gone, or has got deletes that were not applied."""
    table = platform.open_catalog().load_table(group.table)
    now = {t.file.file_path: _deletes(t) for t in tasks(table)}
    if any(now.get(t.file.file_path) != _deletes(t) for t in group.tasks):
        return None
    return commit(table, summary={}, added=list(added), removed=group.files, same_rows=True).snapshot_id


def _deletes(task: FileScanTask) -> set[str]:
    return {f.file_path for f in task.delete_files}


def _merge_manifests(platform: Platform, identifier: str, sizes: Sizes) -> Compacted | None:
    table = platform.open_catalog().load_table(identifier)
    before = manifests(table)
    if len(before) < sizes.manifests:
        return None
    settled(lambda: commit(platform.open_catalog().load_table(identifier), summary={}, same_rows=True), ATTEMPTS)
    table = platform.open_catalog().load_table(identifier)
    after = manifests(table)
    return Compacted(
        identifier,
        "manifests",
        len(before),
        sum(m.manifest_length for m in before),
        len(after),
        sum(m.manifest_length for m in after),
        table.metadata.current_snapshot_id,
    )
