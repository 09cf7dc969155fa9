"""Whether bronze still holds what a silver table would fold again after it was rolled back.

The table's own accounts tell how many bronze rows it folded since the earlier snapshot, and bronze how many of them it
has. Where it stops: only retention takes rows of bronze for good; what a rollback took is landed again.
"""

from __future__ import annotations

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, marks
from lakehouse_assets.engines.iceberg.roll_back import marks_at
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver.accounting import account
from lakehouse_assets.silver.bronze_slice import between_sql, watermark_of


def missing(platform: Platform, contract: Table, silver: IcebergTable, target: Snapshot) -> int:
    """How many rows that the table folded since the snapshot `target` bronze no longer holds."""
    bronze = load(platform.open_catalog(), f"bronze.{contract.id}")
    if bronze is None or DROPPED_THROUGH not in marks(bronze):
        return 0
    then, now = marks_at(silver, target), marks(silver)
    with platform.open_duckdb() as conn:
        sql = between_sql(conn, bronze, watermark_of(then).offsets, watermark_of(now).offsets)
        [(held,)] = conn.execute(f"select count(*) from ({sql})").fetchall()
    return max(0, account(now).taken_in - account(then).taken_in - int(held))
