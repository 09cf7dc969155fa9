"""Maintenance by Spark, for tables that one machine should not rewrite, list and delete alone.

The thresholds, ages and the floor are those of `compaction`, `expiry` and `orphans`, whose plans tell what is due.

Safety: a compaction by Spark is a `replace`, which is no news to any reader. Before snapshots expire a commit of ours
holds the marks. Where another writer was faster the procedure begins anew. A crash leaves what Iceberg's own leaves:
files that nothing names, for `orphans`.
Where it stops: a table with a time of day, which Spark cannot read, and retention, which rewrites nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyiceberg.table import Table

from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Table as Contract
from lakehouse_assets.engines.iceberg.commit import own_marks
from lakehouse_assets.engines.iceberg.reachable import needed
from lakehouse_assets.engines.iceberg.scan import ancestors, is_compaction, sequence_of, tasks
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.engines.spark import procedures
from lakehouse_assets.operations.compaction import ATTEMPTS, Compacted, Sizes
from lakehouse_assets.operations.expiry import Expired, expirable, keep_marks
from lakehouse_assets.operations.orphans import FLOOR, Removed, TooYoung
from lakehouse_assets.operations.orphans import plan as plan_orphans
from lakehouse_assets.silver import schema

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SIZES = Sizes()


def session(platform: Platform, identifier: str) -> Callable[[], SparkSession] | None:
    """What opens the Spark that maintains the table; None where this process does it."""
    contract = contract_of(identifier)
    spark = platform.spark(platform.maintained_by, contract.engine if contract else None)
    return spark if spark and procedures.can_read(platform.open_catalog().load_table(identifier)) else None


def contract_of(identifier: str) -> Contract | None:
    """The contract that a bronze or silver table follows from."""
    made = {
        name: table
        for table in registry.tables()
        for name in (f"bronze.{table.id}", schema.current_name(table), schema.changes_name(table))
    }
    return made.get(identifier)


def z_order_of(identifier: str) -> tuple[str, ...]:
    """Of a silver table whose contract asks for it."""
    contract = contract_of(identifier)
    return contract.z_order_by if contract and identifier == schema.current_name(contract) else ()


def compact(
    platform: Platform, identifier: str, spark: SparkSession, z_order_by: Sequence[str] = (), sizes: Sizes = _SIZES
) -> Compacted | None:
    """Rewrites what is due in every partition, in one snapshot; None where nothing was. Raises Conflict."""
    catalog = platform.open_catalog()
    table = catalog.load_table(identifier)
    before = {t.file.file_path: t.file.file_size_in_bytes for t in tasks(table)}
    options = {
        "target-file-size-bytes": sizes.target,
        "min-file-size-bytes": int(sizes.small * sizes.target),
        "max-file-size-bytes": int(sizes.large * sizes.target),
        "min-input-files": sizes.least_files,
        "delete-file-threshold": 1,
    }
    files, written = settled(
        lambda: procedures.rewrite_data_files(spark, identifier, options, _sorted_by(table), z_order_by), ATTEMPTS
    )
    if not files:
        return None
    return _compacted(catalog.load_table(identifier), before, sequence_of(table), files, written)


def expire(platform: Platform, identifier: str, spark: SparkSession) -> Expired:
    """Forgets and deletes what is older than the table's properties say. Raises Conflict."""
    catalog = platform.open_catalog()
    table = settled(lambda: keep_marks(catalog.load_table(identifier)), ATTEMPTS)
    due, before = expirable(table.metadata, datetime.now(UTC)), needed(table, table.metadata.snapshots)
    if due:
        settled(lambda: procedures.expire_snapshots(spark, identifier), ATTEMPTS)
    left = catalog.load_table(identifier)
    gone = {s.snapshot_id for s in table.metadata.snapshots} - {s.snapshot_id for s in left.metadata.snapshots}
    after = needed(left, left.metadata.snapshots)
    return Expired(identifier, len(gone), len(before), sum(before.values()), len(after), sum(after.values()))


def remove_orphans(platform: Platform, identifier: str, spark: SparkSession, age: timedelta = FLOOR) -> Removed:
    """Deletes the files that nothing names and that are older than `age`. Raises TooYoung."""
    if age < FLOOR:
        raise TooYoung(f"files younger than {FLOOR} may be of a commit under way; got {age}")
    catalog = platform.open_catalog()
    before = plan_orphans(catalog.load_table(identifier), age)
    # Spark counts in whole seconds, and is asked a moment later than the age is tested.
    procedures.remove_orphan_files(spark, identifier, datetime.now(UTC) - age - timedelta(seconds=1))
    after = plan_orphans(catalog.load_table(identifier), age)
    return Removed(identifier, before.files_before, before.bytes_before, after.files_before, after.bytes_before)


def _compacted(table: Table, before: dict[str, int], since: int, files: int, written: int) -> Compacted:
    """Bytes as the snapshots of Spark's commits tell them; files that a lander added meanwhile are none of theirs."""
    present = {t.file.file_path for t in tasks(table)}
    bytes_before = sum(size for path, size in before.items() if path not in present)
    mine = [
        s.summary
        for s in ancestors(table)
        if (s.sequence_number or 0) > since and is_compaction(s) and not own_marks(s) and s.summary is not None
    ]
    bytes_after = sum(int(summary.get("added-files-size") or 0) for summary in mine)
    last = table.metadata.current_snapshot_id
    return Compacted(".".join(table.name()), "whole table", files, bytes_before, written, bytes_after, last)


def _sorted_by(table: Table) -> list[str]:
    names = (table.schema().find_column_name(field.source_id) for field in table.sort_order().fields)
    return [name for name in names if name]
