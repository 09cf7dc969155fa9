"""Gives rejects another try: folds their bronze rows once more, with the contract of today, at their own positions.

1. Read the bronze rows of the rejects; where bronze no longer holds one, refuse and name it.
2. Merge them by the folds' own code with what the table holds: a row that it holds already changes nothing, so that a
   crash, a second replay or a rebuild in between takes no row twice.
3. What is taken leaves the rejects, after the commit that takes it; what is still refused stays, with today's reason.

Safety: the watermark does not move. Where it stops: current rows, vault and marts follow in the next increment; dead
letters are decoded again by `bronze/dead_letters.py`, and folded by every fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import duckdb
import pyarrow as pa
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.dead_letters import PLACE, CannotReplay, Replayed
from lakehouse_assets.contracts.table import SourceKind, Table
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure, load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import fold_changes, fold_events, fold_files, rejects, schema
from lakehouse_assets.silver.bronze_slice import places, watermark
from lakehouse_assets.silver.folding import Merged, Work, finish

_ATTEMPTS = 20
_FOLDS: Mapping[SourceKind, tuple[Callable[[Table], TableSpec], Callable[[Work], Merged]]] = {
    "cdc": (schema.changes, fold_changes.again),
    "events": (schema.events, fold_events.again),
    "files": (schema.files, fold_files.again),
}


def replay(platform: Platform, table: Table, chosen: pa.Table) -> Replayed:
    """Folds the rejects at the places `chosen` (topic, partition, offset) again; places that are no open rejects any
    more are left alone. Raises CannotReplay, RuleBroken, and Conflict where other writers kept committing."""
    return settled(lambda: _replay(platform, table, chosen), _ATTEMPTS)


def _replay(platform: Platform, table: Table, chosen: pa.Table) -> Replayed:
    spec_of, again = _FOLDS[table.source.kind]
    catalog = platform.open_catalog()
    silver, bronze = ensure(catalog, spec_of(table)), load(catalog, f"bronze.{table.id}")
    listed = rejects.held(catalog)
    if bronze is None or listed is None:
        return Replayed()
    with platform.open_duckdb() as conn:
        work = Work(conn, catalog, table, bronze, silver, watermark(silver).offsets)
        waiting = _waiting(work, listed, chosen)
        if not waiting.num_rows:
            return Replayed()
        rows = rewrite.match(conn, bronze, waiting).rows
        _require_all(conn, table, waiting, rows)
        conn.register("bronze_rows", rows)
        taken = finish(work, replace(again(work), ignored=0)).cleared
        return Replayed(taken, waiting.num_rows - taken)


def _waiting(work: Work, listed: IcebergTable, chosen: pa.Table) -> pa.Table:
    """The places of open rejects. One beyond the watermark, which a crash left, is for the next fold."""
    conn = work.conn
    conn.register("chosen", chosen)
    conn.register("folded_places", places(work.offsets, pa.int64()))
    return conn.sql(f"""
        select distinct r.topic, r.partition, r."offset" from ({rejects.found_sql(listed, work.table)}) r
        semi join chosen using (topic, partition, "offset")
        join folded_places p on p.place = r.topic || '/' || r.partition
        where r.discarded_at is null and r."offset" < p.value""").to_arrow_table()


def _require_all(conn: duckdb.DuckDBPyConnection, table: Table, waiting: pa.Table, rows: pa.Table) -> None:
    conn.register("waiting", waiting)
    conn.register("still_there", rows.select(PLACE))
    gone = conn.execute("""
        select topic, partition, "offset" from waiting anti join still_there using (topic, partition, "offset")
        order by all""").fetchall()
    for topic, partition, offset in gone[:1]:
        raise CannotReplay(
            f"{table.id}: bronze no longer holds topic {topic}, partition {partition}, offset {offset}"
            f"{f' and {len(gone) - 1} others' if gone[1:] else ''}; take the row from the source again (a snapshot of"
            " its key), then discard the reject; nothing was replayed"
        )
