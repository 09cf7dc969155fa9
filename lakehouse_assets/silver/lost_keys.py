"""Keys of which a rebuild lost a change: a row that a mended contract now refuses, or that bronze no longer gives.

The changes of before the rebuild name them. Where it stops: what becomes of the keys is `fold_current`'s.
"""

from __future__ import annotations

import json

import duckdb
import pyarrow as pa
from pyiceberg.expressions import In
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, LOST, REBUILT_DAYS, marks, own_marks
from lakehouse_assets.engines.iceberg.progress import rebuilt_days
from lakehouse_assets.engines.iceberg.scan import data_files, snapshots_since


def lost_keys(
    conn: duckdb.DuckDBPyConnection, table: Table, changes: IcebergTable, current: IcebergTable, mark: int
) -> pa.Table:
    """Keys of the days that lost rows after the commit numbered `mark`; every key where that is no longer known."""
    keys = ", ".join(quoted(k) for k in table.key)
    sources = []
    rebuilt = rebuilt_days(changes, mark)
    newer = None if rebuilt is None else snapshots_since(changes, mark) if rebuilt else []
    for snapshot in newer or ():
        said = own_marks(snapshot)
        if int(said.get(LOST, 0)):
            before = snapshot.parent_snapshot_id
            if before is None or changes.snapshot_by_id(before) is None:
                newer = None
                break
            days = In("change_date", json.loads(said[REBUILT_DAYS]))
            sources.append(select(changes, data_files(changes, days, before)))
    if newer is None:
        sources = [select(changes, data_files(changes))]
        # A key that has no change any more keeps its row where retention may have dropped them.
        if DROPPED_THROUGH not in marks(changes):
            sources.append(f"select {keys} from ({select(current, data_files(current))})")
    nothing = f"select {keys} from ({select(changes, [])})"
    found = " union ".join([nothing, *(f"select {keys} from ({source})" for source in sources)])
    present = " and ".join(f"{quoted(k)} is not null" for k in table.key)
    return conn.sql(f"select * from ({found}) where {present}").to_arrow_table()
