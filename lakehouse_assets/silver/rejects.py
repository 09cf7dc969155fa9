"""Rows that silver could not take, kept in `silver.rejects` with the reason.

A reject is keyed by (table, topic, partition, offset, rule) and written before the commit that advances the watermark:
a crash between the two repeats the write, and a repeated write adds nothing. Bronze rows that are judged again, after a
crash, a rebuild or a mended contract, lose the rejects that no longer apply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThanOrEqual

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import select
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import commit
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.tables import ensure, load
from lakehouse_assets.silver.bronze_slice import places
from lakehouse_assets.silver.schema import REJECTS
from lakehouse_assets.silver.schema import rejects as rejects_spec
from lakehouse_assets.silver.settle import settled

_KEY = ("table", "topic", "partition", "offset", "rule")
_ATTEMPTS = 20
"""Folds of all tables write here."""


def record(conn: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table) -> None:
    """Makes the rejects of the bronze rows `judged` (topic, partition, offset) those in `refused` (rule, reason, data).

    One that was there already stays as it is. Raises Conflict where other folds kept committing rejects.
    """
    settled(lambda: _record(conn, catalog, table), _ATTEMPTS)


def counted(
    conn: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table, offsets: Mapping[str, int]
) -> Counter[str]:
    """Refused bronze rows below the offsets (per `topic/partition`), by rule."""
    handle = load(catalog, REJECTS)
    if handle is None:
        return Counter()
    conn.register("counted_places", places(offsets, pa.int64()))
    files = data_files(handle, EqualTo("table", table.id))
    found = conn.execute(
        f"""
        select rule, count(*) from ({select(handle, files)}) r
        join counted_places p on p.place = r.topic || '/' || r.partition
        where r."table" = $table and r."offset" < p.value group by 1""",
        {"table": table.id},
    )
    return Counter(dict(found.fetchall()))


def _record(conn: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table) -> None:
    [(first, last, refused)] = conn.execute("""
        select min("offset"), max("offset"), (select count(*) from refused) from judged""").fetchall()
    handle = load(catalog, REJECTS)
    if first is None or (handle is None and not refused):
        return
    handle = handle or ensure(catalog, rejects_spec())
    near = And(EqualTo("table", table.id), GreaterThanOrEqual("offset", first), LessThanOrEqual("offset", last))
    conn.execute(
        f"""
        create or replace temp table recorded as
        select "table", topic, partition, "offset", rule from ({select(handle, data_files(handle, near))}) r
        semi join judged using (topic, partition, "offset") where "table" = $table""",
        {"table": table.id},
    )
    found = rewrite.match(conn, handle, _stale(conn))
    new = _new(conn, table)
    if new.num_rows or found.files:
        commit(handle, summary={}, added=rewrite.replace(conn, handle, found, new), removed=found.files)


def _stale(conn: duckdb.DuckDBPyConnection) -> pa.Table:
    names = ", ".join(f'"{name}"' for name in _KEY)
    return conn.sql(f"""
        select {names} from recorded anti join refused using (topic, partition, "offset", rule)""").to_arrow_table()


def _new(conn: duckdb.DuckDBPyConnection, table: Table) -> pa.Table:
    rows = conn.sql(
        """
        select $table as "table", f.topic, f.partition, f."offset", f.rule, f.reason, f.data,
          $now::timestamptz as rejected_at, null::timestamptz as replayed_at
        from refused f anti join recorded using (topic, partition, "offset", rule)""",
        params={"table": table.id, "now": datetime.now(UTC)},
    )
    return rows.to_arrow_table()
