"""Folds bronze changes into `<table>_changes`: each change of the source once, typed, in the source's order.

1. Take the bronze rows beyond the watermark, type them, refuse what cannot be cast. Stop where the source was reset.
2. Keep one row per (position, key), the first by topic, partition and offset. A position beyond the highest folded one
   cannot be a redelivery, so that only the others are looked up in the table.
3. Fill in what PostgreSQL left out (`unavailable.py`), also in stored rows when a late change explains them.
4. End complete snapshots (`snapshots.py`).
5. Write rejects, then commit rows, watermark and counts as one snapshot (`folding.py`).

Where it stops: which row is current is `fold_current`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import DataFile

from lakehouse_assets.bronze.epochs import epochs
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.debezium.position import Epochs
from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import REBUILT_DAYS, marks, next_sequence
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.after_snapshot import FOLLOWS_SNAPSHOT, find_snapshots
from lakehouse_assets.silver.bronze_slice import folded_sql, places
from lakehouse_assets.silver.changes_sql import (
    ENDS_SQL,
    IS_CHANGE,
    IS_INCREMENTAL,
    IS_SNAPSHOT_END,
    PRECEDING_SQL,
    context_sql,
    first_deliveries_sql,
    incoming_sql,
    rows_sql,
    superseded_sql,
)
from lakehouse_assets.silver.folding import Folded, Merged, Work, fold_bronze
from lakehouse_assets.silver.moved_reads import left_behind, take_following
from lakehouse_assets.silver.reset import refuse_other_log, refuse_reset
from lakehouse_assets.silver.severity import refuse_broken
from lakehouse_assets.silver.snapshots import end_snapshots
from lakehouse_assets.silver.unavailable import resolve
from lakehouse_assets.silver.written import ways

HIGHEST = "lakehouse.highest-position"
HIGHEST_MS = "lakehouse.highest-change-ms"
"""When the source made the change at the highest position, in milliseconds."""
HIGHEST_TX = "lakehouse.highest-transaction"
"""Which transaction that was of, as the source calls it."""
STREAMED = "lakehouse.streamed-positions"
"""JSON: the position of the last streamed change per `topic/partition`, for incremental snapshots' reads after it."""


def fold_changes(platform: Platform, table: Table) -> Folded:
    """Folds everything that bronze holds beyond the watermark, a bounded slice a commit.

    Raises RuleBroken, SourceWasReset, and Conflict where other writers kept committing.
    """
    return fold_bronze(platform, table, schema.changes(table), _merge_slice, _merge_replay)


def again(work: Work) -> Merged:
    """`bronze_rows` below the watermark, folded once more at their own positions; those that the table holds already
    change nothing."""
    conn, known, begun = work.conn, marks(work.silver), epochs(work.bronze)
    whole_context(work, begun)
    stage(conn, work.table, known.get(HIGHEST, ""), {}, begun)
    return _merge_again(work)


def _merge_replay(work: Work) -> Merged:
    """Dead letters that are valid now, and ignored no longer. Reads that follow them move (`moved_reads.py`)."""
    conn, known, begun = work.conn, marks(work.silver), epochs(work.bronze)
    [(changes,)] = conn.execute(f"select count(*) from bronze_rows where {IS_CHANGE}").fetchall()
    folded = folded_sql(conn, work.bronze, work.offsets, AlwaysTrue())
    whole_context(work, begun, looks_back=True)
    take_following(conn, folded)
    stage(conn, work.table, known.get(HIGHEST, ""), {}, begun)
    moved = left_behind(conn, work.table, work.silver)
    merged = _merge_again(work, moved)
    days = sorted(set(map(str, moved.column("change_date").to_pylist())))
    streamed = {**json.loads(known.get(STREAMED, "{}")), **last_streamed(conn)}
    summary = {**merged.summary, STREAMED: json.dumps(streamed), **({REBUILT_DAYS: json.dumps(days)} if days else {})}
    return replace(merged, ignored=-changes, summary=summary)


def _merge_again(work: Work, moved: pa.Table | None = None) -> Merged:
    known = marks(work.silver)
    ended = end_snapshots(work.conn, known, known.get(HIGHEST, ""))
    merged = merge(work, moved=moved)
    return replace(
        merged, summary={**merged.summary, **highest(work.conn, known), **ended}, rejudged=True, superseded=None
    )


def _merge_slice(work: Work) -> Merged:
    conn = work.conn
    known, begun = marks(work.silver), epochs(work.bronze)
    streamed: dict[str, str] = json.loads(known.get(STREAMED, "{}"))
    read = find_snapshots(conn, "bronze_rows", known, begun)
    conn.execute(f"create or replace temp table context as {context_sql('bronze_rows', begun)}")
    stage(conn, work.table, known.get(HIGHEST, ""), streamed, begun)
    refuse_reset(conn, work.table, work.silver, known.get(HIGHEST, ""), known.get(HIGHEST_MS))
    refuse_other_log(conn, work.table, known.get(HIGHEST, ""), known.get(HIGHEST_TX))
    ended = end_snapshots(conn, known, known.get(HIGHEST, ""))
    [(taken_in, changes)] = conn.execute(f"select count(*), count(*) filter ({IS_CHANGE}) from bronze_rows").fetchall()
    merged = merge(work)
    summary = {
        **merged.summary,
        **highest(conn, known),
        **ended,
        **read,
        STREAMED: json.dumps({**streamed, **last_streamed(conn)}),
    }
    return replace(merged, taken_in=taken_in, ignored=taken_in - changes, summary=summary)


def highest(conn: duckdb.DuckDBPyConnection, known: Mapping[str, str]) -> dict[str, str]:
    """The marks of the highest position, `incoming` included."""
    [(position, moment, transaction)] = conn.execute("""
        select max(change_position), epoch_ms(arg_max(change_time, change_position)),
          arg_max(coalesce(source_tx_id, ''), change_position)
        from incoming""").fetchall()
    if position is None or position <= known.get(HIGHEST, ""):
        return {key: known[key] for key in (HIGHEST, HIGHEST_MS, HIGHEST_TX) if key in known}
    return {HIGHEST: position, HIGHEST_MS: str(moment), HIGHEST_TX: transaction}


def last_streamed(conn: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The position of the last streamed change of `context` per place."""
    found = conn.execute("""
        select topic || '/' || partition, arg_max(streamed_position, "offset") from context
        where streamed_position is not null group by 1""").fetchall()
    return dict(found)


def whole_context(work: Work, begun: Epochs, looks_back: bool = False) -> None:
    """Makes `context` and `after_snapshot`. An incremental snapshot's read takes the place of the change before it, and
    a change may follow a snapshot, which both may be of any day. What bronze no longer holds, the table and its marks
    still do."""
    conn, known = work.conn, marks(work.silver)
    [(looking_back,)] = conn.execute(
        f"select $always or count(*) > 0 from bronze_rows where ({IS_INCREMENTAL}) or ({FOLLOWS_SNAPSHOT})",
        {"always": looks_back},
    ).fetchall()
    folded = f"({folded_sql(conn, work.bronze, work.offsets, AlwaysTrue())})" if looking_back else "bronze_rows"
    find_snapshots(conn, folded, known, begun)
    conn.execute(f"create or replace temp table context as {context_sql(folded, begun)}")
    if looking_back:
        conn.execute(f"""
            insert into context select topic, partition, "offset", false, change_position
            from ({select(work.silver, data_files(work.silver))}) where op != 'r' and not ({IS_SNAPSHOT_END})""")


def stage(conn: duckdb.DuckDBPyConnection, table: Table, highest: str, streamed: dict[str, str], begun: Epochs) -> None:
    """`bronze_rows`, `context`, `after_snapshot` -> `incoming`, typed changes, `refused`, those that are none,
    `judged`, all, and `ends`, those of complete snapshots."""
    conn.register("streamed", places(streamed, pa.string()))
    conn.execute(PRECEDING_SQL)
    conn.execute(incoming_sql(table, begun, ways(conn, table)), {"highest": highest})
    conn.execute("""
        create or replace temp table refused as
        select topic, partition, "offset", misfit.rule as rule, misfit.reason as reason, data
        from incoming where misfit is not null""")
    conn.execute("""create or replace temp table judged as select topic, partition, "offset" from incoming""")
    conn.execute(ENDS_SQL)
    conn.execute("delete from incoming where misfit is not null")


def merge(
    work: Work,
    replaced: Sequence[DataFile] = (),
    outside: BooleanExpression | None = None,
    moved: pa.Table | None = None,
) -> Merged:
    """`incoming` merged with the table. Raises RuleBroken.

    `replaced` are files that go whole, `outside` tells the rows that remain without them. Stored rows that are revised
    get a new `load_sequence`, so that who copied them takes them again; those at the identities `moved` go.
    """
    conn, table, silver = work.conn, work.table, work.silver
    identity = ", ".join([*(quoted(k) for k in table.key), "change_position"])
    late = conn.sql(f"select distinct {identity} from incoming where is_late").to_arrow_table()
    conn.register("stored", rewrite.match(conn, silver, late, outside).rows)
    conn.execute(first_deliveries_sql(table))
    [(superseded,)] = conn.execute(superseded_sql(table)).fetchall()
    if moved is not None:
        conn.register("moved", moved)
        conn.execute(f"insert into displaced select {identity} from moved")
    resolve(conn, table, silver, outside)
    rows = conn.sql(rows_sql(table, next_sequence(silver))).to_arrow_table()
    refuse_broken(conn, table, rows)
    revised = conn.sql(f"select distinct {identity} from revised").to_arrow_table()
    found = rewrite.match(conn, silver, revised, outside)
    ends = _snapshot_ends(conn, rows) - _snapshot_ends(conn, found.rows)
    revisited = set(found.rows.column("change_date").to_pylist())
    gone = conn.execute(
        f"select change_date, count(*) filter ({IS_SNAPSHOT_END}) from ({select(silver, replaced)}) group by 1"
    ).fetchall()
    days = {*rows.column("change_date").to_pylist(), *revisited, *(day for day, _ in gone)}
    added = rewrite.replace(conn, silver, found, rows)
    derived = ends - sum(count for _, count in gone)
    return Merged(added, [*found.files, *replaced], days=days, superseded=superseded, derived=derived)


def _snapshot_ends(conn: duckdb.DuckDBPyConnection, rows: pa.Table) -> int:
    """How many of the rows no message of its own tells."""
    [(count,)] = conn.execute(f"select count(*) from rows where {IS_SNAPSHOT_END}").fetchall()
    return int(count)
