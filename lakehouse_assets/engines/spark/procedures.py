"""Iceberg's own procedures in Spark: compaction, expiry and the removal of orphan files, on all executors.

They commit by Iceberg's Java library, which makes a commit again over what came in between where both fit. Such a
commit says nothing of the project's marks: they are found before it (`iceberg/commit.py`).
Where it stops: what is due, which ages hold and what was done is the callers'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pyiceberg.table import Table
from pyiceberg.types import TimeType

from lakehouse_assets.engines.duckdb.session import literal, quoted
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.spark.session import CATALOG

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

_CONFLICTS = ("CommitFailedException", "ValidationException")


def can_read(table: Table) -> bool:
    """Spark has no type for a time of day: such a table is for others."""
    return not any(isinstance(field.field_type, TimeType) for field in table.schema().fields)


def rewrite_data_files(
    spark: SparkSession,
    identifier: str,
    options: Mapping[str, object],
    sort_by: Sequence[str],
    z_order_by: Sequence[str],
) -> tuple[int, int]:
    """Files that were read and written. Sorted where columns are given, rather along a z-curve.

    `options` are the procedure's. Raises Conflict where another writer replaced one of the files first.
    """
    told = ", ".join(f"{literal(name)}, {literal(str(value))}" for name, value in options.items())
    order = ""
    if z_order_by or sort_by:
        columns = ", ".join(quoted(name).replace('"', "`") for name in z_order_by or sort_by)
        wanted = f"zorder({columns})" if z_order_by else columns
        order = f", strategy => 'sort', sort_order => {literal(wanted)}"
    row = _call(spark, "rewrite_data_files", identifier, f"options => map({told}){order}")[0]
    return row["rewritten_data_files_count"], row["added_data_files_count"]


def expire_snapshots(spark: SparkSession, identifier: str) -> None:
    """By the ages that the table's own properties give. Raises Conflict."""
    _call(spark, "expire_snapshots", identifier, "stream_results => true")


def remove_orphan_files(spark: SparkSession, identifier: str, older_than: datetime) -> list[str]:
    """The files that went. Iceberg itself refuses an age below 24 hours."""
    moment = literal(older_than.strftime("%Y-%m-%d %H:%M:%S"))
    rows = _call(spark, "remove_orphan_files", identifier, f"older_than => timestamp {moment}, prefix_listing => true")
    return [row["orphan_file_location"] for row in rows]


def _call(spark: SparkSession, procedure: str, identifier: str, arguments: str) -> list[Row]:
    """Identifiers are quoted and values literals: a procedure takes no parameters."""
    table = literal(quoted(identifier).replace('"', "`"))
    try:
        return list(spark.sql(f"call {CATALOG}.system.{procedure}(table => {table}, {arguments})").collect())
    except Exception as error:
        if any(name in str(error) for name in _CONFLICTS):
            raise Conflict(f"{identifier} was changed by another writer; run it again") from error
        raise
