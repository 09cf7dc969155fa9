"""Reads of incremental snapshots that move because a dead letter before them is valid now.

Such a read has the position of the streamed change before it in its partition. Where that was a dead letter when the
read was folded, it was given that of an older change: it is folded again at its own, and leaves the other.
Where it stops: how a row is replaced is `fold_changes`'.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted
from lakehouse_assets.engines.iceberg import rewrite

_PLACE = 'topic, partition, "offset"'


def take_following(conn: duckdb.DuckDBPyConnection, folded: str) -> None:
    """Adds to `bronze_rows` the reads in `context` whose change before them is among `bronze_rows`: table `following`.

    `folded` selects all bronze rows below the watermark.
    """
    conn.execute(f"""
        create or replace temp table replayed as select * from bronze_rows;
        create or replace temp table following as
        select distinct {_PLACE} from (
          select {_PLACE}, is_incremental,
            last_value(case when streamed_position is not null then "offset" end ignore nulls) over (
              partition by topic, partition order by "offset" rows between unbounded preceding and 1 preceding)
              as before
          from context)
        where is_incremental and (topic, partition, before) in (select {_PLACE} from replayed);
        create or replace temp table followed as select f.* from ({folded}) f semi join following using ({_PLACE});
        create or replace temp view bronze_rows as select * from replayed union all by name select * from followed""")


def left_behind(conn: duckdb.DuckDBPyConnection, table: Table, silver: IcebergTable) -> pa.Table:
    """The stored rows of `following` whose position is no longer that of `incoming`: key, position and day."""
    keys = ", ".join(f"s.{quoted(k)}" for k in table.key)
    conn.register("standing_reads", rewrite.match(conn, silver, conn.sql("from following").to_arrow_table()).rows)
    return conn.sql(f"""
        select {keys}, s.change_position, s.change_date from standing_reads s join incoming i using ({_PLACE})
        where s.change_position != i.change_position""").to_arrow_table()
