"""Places the changes of transactions that were open when a snapshot was taken, and so are not in it.

PostgreSQL's changes are ordered by the commit before them, then by LSN. The first transaction that a connector streams
names no commit, and where it was open while the snapshot was taken its LSNs lie below the snapshot's, whose reads it
overwrites all the same. So a change that names no commit sorts right after the snapshot that it follows: the one of the
last read before it in its partition. A key that the snapshot does not show may have none there: it follows the latest
snapshot of its topic that was folded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from lakehouse_assets.engines.debezium import position
from lakehouse_assets.engines.debezium.position import Epochs
from lakehouse_assets.silver.bronze_slice import places
from lakehouse_assets.silver.changes_sql import IS_CHANGE, IS_INCREMENTAL

SNAPSHOTS = "lakehouse.snapshot-reads"
"""JSON: epoch and LSN of the last snapshot read per `topic/partition`."""

FOLLOWS_SNAPSHOT = f"{IS_CHANGE} and op != 'r' and source_lsn is not null and {position.COMMIT} is null"


def find_snapshots(
    conn: duckdb.DuckDBPyConnection, rows: str, known: Mapping[str, str], epochs: Epochs
) -> dict[str, str]:
    """A relation of bronze rows -> `after_snapshot`, the LSN of the snapshot that each change of FOLLOWS_SNAPSHOT
    follows; returns the mark, with these rows folded."""
    conn.register("known_reads", places(json.loads(known.get(SNAPSHOTS, "{}")), pa.string()))
    epoch = position.epoch_sql(epochs)
    conn.execute(f"""
        create or replace temp table placed as
        select topic, partition, "offset", topic || '/' || partition as place, {epoch} as epoch, source_lsn as lsn,
          {FOLLOWS_SNAPSHOT} as follows
        from {rows} where {FOLLOWS_SNAPSHOT}
          or ({IS_CHANGE} and op = 'r' and not ({IS_INCREMENTAL}) and source_lsn is not null)""")
    conn.execute("""
        create or replace temp table snapshot_reads as
        select place, epoch, lsn, min("offset") as first from placed where not follows group by all
        union all
        select place, split_part(value, '.', 1), split_part(value, '.', 2)::bigint, -1 from known_reads""")
    conn.execute("""
        create or replace temp table after_snapshot as
        with latest as (select epoch, max(lsn) as lsn from snapshot_reads group by epoch)
        select p.topic, p.partition, p."offset", coalesce(r.lsn, l.lsn) as snapshot_lsn
        from (from placed where follows) p
        asof left join snapshot_reads r on p.place = r.place and p.epoch = r.epoch and p."offset" > r.first
        left join latest l on p.epoch = l.epoch""")
    found = conn.execute("select place, arg_max(epoch || '.' || lsn, first) from snapshot_reads group by place")
    last = dict(found.fetchall())
    return {SNAPSHOTS: json.dumps(last)} if last else {}
