"""Ends complete snapshots: a key that the snapshot of a table does not show is gone.

The end is a change without key, like a truncate, at the snapshot's position and below its reads: it deletes every key
of lower position, whenever that arrives, and no key that the snapshot shows, whenever its read arrives. So the end of
a snapshot can be told as soon as its last read is there, whichever partitions have yet to follow.
Where nothing is lower there is nothing to delete: the end of a first snapshot waits in a mark for a late change below.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime

import duckdb
import pyarrow as pa

from lakehouse_assets.engines.iceberg.schema import TIMESTAMPTZ

LOWEST = "lakehouse.lowest-position"
WAITING = "lakehouse.waiting-snapshot-ends"
"""JSON: ends of snapshots below which no change was folded yet."""

_END = pa.schema(
    [
        ("change_position", pa.string()),
        ("change_time", TIMESTAMPTZ),
        ("change_date", pa.date32()),
        ("source_tx_id", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("ingestion_timestamp", TIMESTAMPTZ),
    ]
)
_NAMES = ", ".join(f'"{name}"' for name in _END.names)


def end_snapshots(conn: duckdb.DuckDBPyConnection, known: Mapping[str, str], highest: str) -> dict[str, str]:
    """Adds the ends in `ends` that delete something to `incoming`; returns the marks, the ends that wait among them."""
    [(arrived,)] = conn.execute("select min(change_position) from incoming").fetchall()
    lowest = min((p for p in (known.get(LOWEST), arrived) if p), default=None)
    if lowest is None:
        return {}
    waiting = [_typed(end) for end in json.loads(known.get(WAITING, "[]"))]
    conn.register("waiting_ends", pa.Table.from_pylist(waiting, _END))
    conn.execute(f"create or replace temp view told_ends as select {_NAMES} from ends union from waiting_ends")
    conn.execute(
        """
        insert into incoming by name
        select *, 't' as op, true as is_deleted, []::varchar[] as unavailable, false as is_incremental,
          change_position <= $highest as is_late
        from told_ends where change_position > $lowest""",
        {"highest": highest, "lowest": lowest},
    )
    left = conn.sql(f"select {_NAMES} from told_ends where change_position <= $lowest", params={"lowest": lowest})
    return {LOWEST: lowest, WAITING: json.dumps(left.to_arrow_table().to_pylist(), default=str)}


def _typed(end: Mapping[str, str]) -> dict[str, object]:
    times = {name: datetime.fromisoformat(end[name]) for name in ("change_time", "ingestion_timestamp")}
    return {**end, **times, "change_date": date.fromisoformat(end["change_date"])}
