"""Folds bronze events into one row per event, by day of the event.

1. Type the bronze rows beyond the watermark; refuse what cannot be cast, breaks a rule or lies outside the days.
2. The first event of a key by topic, partition and offset wins, in whatever order they came: the same content again is
   superseded, other content is refused. Where an event contradicts a stored one that it precedes, all copies of the
   key are read from bronze once more and judged again; senders that reuse a key so are rare.
3. Write rejects, then commit rows, watermark and counts as one snapshot (`folding.py`).

Where it stops: windows over events are the speed layer's, days of them the marts'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import DataFile

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import next_sequence
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.bronze_slice import folded_sql
from lakehouse_assets.silver.events_sql import REFUSED_SQL, first_of_each_sql, overturned_sql, staged_sql
from lakehouse_assets.silver.folding import Folded, Merged, Work, fold_bronze


def fold_events(platform: Platform, table: Table) -> Folded:
    """Folds every event that bronze holds beyond the watermark, a bounded slice a commit."""
    return fold_bronze(platform, table, schema.events(table), _merge_slice, again)


def again(work: Work) -> Merged:
    """`bronze_rows` below the watermark, folded once more; those that the table holds already change nothing. They are
    no longer ignored, as dead letters were."""
    merged = _merge_slice(work)
    ignored = merged.ignored - merged.taken_in
    return replace(merged, taken_in=0, ignored=ignored, rejudged=True, superseded=None)


def _merge_slice(work: Work) -> Merged:
    work.conn.execute(f"create or replace temp table staged as {staged_sql(work.table, 'bronze_rows')}")
    [(taken_in, valid)] = work.conn.execute("select count(*), count(data) from bronze_rows").fetchall()
    return merge(work, taken_in, taken_in - valid)


def merge(
    work: Work,
    taken_in: int = 0,
    ignored: int = 0,
    replaced: Sequence[DataFile] = (),
    outside: BooleanExpression | None = None,
) -> Merged:
    """`staged` merged with the table. `replaced` are files that go whole, `outside` tells the rows that remain."""
    conn, table, silver = work.conn, work.table, work.silver
    keys = ", ".join(quoted(k) for k in table.key)
    conn.execute(REFUSED_SQL)
    conn.execute("""
        create or replace temp table judged as select topic, partition, "offset" from staged;
        create or replace temp table incoming as select * exclude (misfit, broken, is_right) from staged where is_right
        """)
    told = conn.sql(f"select distinct {keys} from incoming").to_arrow_table()
    conn.register("stored", rewrite.match(conn, silver, told, outside).rows)
    overturned = conn.sql(overturned_sql(table)).to_arrow_table()
    if overturned.num_rows:
        _add_copies(work, overturned)
    conn.execute(first_of_each_sql(table))
    names = ", ".join(quoted(n) for n in schema.events(table).schema.names if n != "load_sequence")
    rows = conn.sql(f"select {names}, {next_sequence(silver)}::bigint as load_sequence from fresh").to_arrow_table()
    found = rewrite.match(conn, silver, conn.sql("select * from displaced").to_arrow_table(), outside)
    gone = conn.execute(f"select distinct event_date from ({select(silver, replaced)})").fetchall()
    days = {*rows.column("event_date").to_pylist(), *found.rows.column("event_date").to_pylist(), *(d for (d,) in gone)}
    return Merged(
        rewrite.replace(conn, silver, found, rows),
        [*found.files, *replaced],
        taken_in,
        ignored,
        days,
        rejudged=overturned.num_rows > 0,
        superseded=None if overturned.num_rows else _superseded(work),
    )


def _superseded(work: Work) -> int:
    """How many events were told before, or are told more than once, with the same content."""
    keys = ", ".join(quoted(k) for k in work.table.key)
    [(count,)] = work.conn.execute(f"""
        select count(*) - (select count(*) from (select distinct {keys} from incoming) anti join stored using ({keys}))
        from incoming anti join refused using (topic, partition, "offset")""").fetchall()
    return int(count)


def _add_copies(work: Work, keys: pa.Table) -> None:
    """Adds every folded event of the keys to `incoming` and `judged`."""
    names = ", ".join(quoted(k) for k in work.table.key)
    work.conn.register("overturned", keys)
    folded = folded_sql(work.conn, work.bronze, work.offsets, AlwaysTrue())
    work.conn.execute(f"""
        create or replace temp table copies as
        select * exclude (misfit, broken, is_right) from ({staged_sql(work.table, f"({folded})")})
        semi join overturned using ({names})
        where is_right;
        insert into incoming by name select * from copies anti join incoming using (topic, partition, "offset");
        insert into judged
        select topic, partition, "offset" from copies anti join judged using (topic, partition, "offset")""")
