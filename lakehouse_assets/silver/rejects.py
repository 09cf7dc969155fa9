"""Rows that silver could not take, kept in `silver.rejects` with the reason.

A reject is keyed by (table, topic, partition, offset, rule) and written before the commit that advances the watermark:
a crash between the two repeats the write, and a repeated write adds nothing. Bronze rows that are judged again, after a
crash, by a rebuild or a replay, lose the rejects that no longer apply once the commit that takes them is made.
Discarding marks a reject as decided; it stays, and stays counted as rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThanOrEqual
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.dead_letters import PLACE
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import literal, select
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import commit, discard
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import ensure, load
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver.bronze_slice import places
from lakehouse_assets.silver.schema import REJECTS
from lakehouse_assets.silver.schema import rejects as rejects_spec

KEY = ("table", "topic", "partition", "offset", "rule")
_KEY = ", ".join(f'"{name}"' for name in KEY)
_NONE = """
    select null::varchar as "table", null::varchar as topic, null::int as partition, null::bigint as "offset",
      null::varchar as rule, null::varchar as reason, null::timestamptz as rejected_at where false"""
_ATTEMPTS = 20
"""Folds of all tables write here."""


def held(catalog: Catalog) -> IcebergTable | None:
    """The table of rejects; None before the first."""
    return ensure(catalog, rejects_spec()) if load(catalog, REJECTS) is not None else None


def record(conn: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table) -> None:
    """Adds the bronze rows `refused` (rule, reason, data) to the rejects; one that was there already stays as it is.

    Makes the table `stale`, rejects of the bronze rows `judged` (topic, partition, offset) that no longer apply. Raises
    Conflict where other folds kept committing rejects.
    """
    settled(lambda: _record(conn, catalog, table), _ATTEMPTS)


def clear(conn: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table) -> int:
    """Removes the rejects `stale`; returns how many bronze rows are refused no longer. Raises Conflict."""
    return settled(lambda: _clear(conn, catalog), _ATTEMPTS)


@dataclass(frozen=True)
class Decided:
    """Bronze rows of a table among the rejects: `open` ones, and those that somebody `discarded`."""

    open: int
    discarded: int


def decided(catalog: Catalog, table: Table) -> Decided:
    """How many of a table's rejects wait for a decision; reads two columns of the rejects of that table."""
    handle = held(catalog)
    if handle is None:
        return Decided(0, 0)
    fields = ("partition", "offset", "discarded_at")
    rows = handle.scan(row_filter=EqualTo("table", table.id), selected_fields=fields).to_arrow()
    still_open = rows["discarded_at"].null_count
    return Decided(still_open, rows.num_rows - still_open)


def found_sql(rejects: IcebergTable, table: Table) -> str:
    """SELECT of a table's rejects: place, `rule`, `reason`, `noted_at`, `discarded_at` and `content` (JSON)."""
    files = data_files(rejects, EqualTo("table", table.id))
    return f"""
        select topic, partition, "offset", rule, reason, rejected_at as noted_at, discarded_at, data as content
        from ({select(rejects, files)}) where "table" = {literal(table.id)}"""


def set_aside(platform: Platform, table: Table, chosen: pa.Table) -> int:
    """Marks the rejects at the places `chosen` (topic, partition, offset) as discarded; how many bronze rows were open
    until now. Raises Conflict."""
    return settled(lambda: _set_aside(platform, table, chosen), _ATTEMPTS)


def counted(
    conn: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table, offsets: Mapping[str, int]
) -> Counter[str]:
    """Refused bronze rows below the offsets (per `topic/partition`), by rule, those that are `stale` left out."""
    handle = held(catalog)
    if handle is None:
        return Counter()
    conn.register("counted_places", places(offsets, pa.int64()))
    files = data_files(handle, EqualTo("table", table.id))
    found = conn.execute(
        f"""
        select rule, count(*) from ({select(handle, files)}) r
        join counted_places p on p.place = r.topic || '/' || r.partition
        anti join stale using (topic, partition, "offset", rule)
        where r."table" = $table and r."offset" < p.value group by 1""",
        {"table": table.id},
    )
    return Counter(dict(found.fetchall()))


def _record(conn: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table) -> None:
    [(first, last, refused)] = conn.execute("""
        select min("offset"), max("offset"), (select count(*) from refused) from judged""").fetchall()
    handle = held(catalog)
    if handle is None and refused:
        handle = ensure(catalog, rejects_spec())
    near = And(
        EqualTo("table", table.id), GreaterThanOrEqual("offset", first or 0), LessThanOrEqual("offset", last or 0)
    )
    source = select(handle, data_files(handle, near)) if handle is not None else _NONE
    conn.execute(
        f"""
        create or replace temp table standing as
        select r.* from ({source}) r semi join judged using (topic, partition, "offset") where "table" = $table""",
        {"table": table.id},
    )
    conn.execute(f"""
        create or replace temp table stale as
        select {_KEY} from standing anti join refused using (topic, partition, "offset", rule)""")
    new = _new(conn, table)
    if handle is not None and new.num_rows:
        found = rewrite.match(conn, handle, new.select(KEY))
        _swap(handle, rewrite.replace(conn, handle, found, new), found)


def _new(conn: duckdb.DuckDBPyConnection, table: Table) -> pa.Table:
    """Refused rows that are no rejects yet, or for another reason."""
    rows = conn.sql(
        """
        select $table as "table", f.topic, f.partition, f."offset", f.rule, f.reason, f.data,
          coalesce(s.rejected_at, $now::timestamptz) as rejected_at, null::timestamptz as discarded_at
        from refused f left join standing s using (topic, partition, "offset", rule)
        where f.reason is distinct from s.reason""",
        params={"table": table.id, "now": datetime.now(UTC)},
    )
    return rows.to_arrow_table()


def _clear(conn: duckdb.DuckDBPyConnection, catalog: Catalog) -> int:
    handle, stale = held(catalog), conn.sql("from stale").to_arrow_table()
    if handle is None or not stale.num_rows:
        return 0
    found = rewrite.match(conn, handle, stale)
    if not found.files:
        return 0
    conn.register("cleared", found.rows)
    [(cleared,)] = conn.execute("""
        select count(distinct (topic, partition, "offset")) from cleared
        anti join refused using (topic, partition, "offset")""").fetchall()
    _swap(handle, rewrite.replace(conn, handle, found, found.rows.slice(0, 0)), found)
    return int(cleared)


def _set_aside(platform: Platform, table: Table, chosen: pa.Table) -> int:
    handle = held(platform.open_catalog())
    if handle is None:
        return 0
    with platform.open_duckdb() as conn:
        keys = chosen.select(PLACE).append_column("table", pa.repeat(table.id, chosen.num_rows))
        matched = rewrite.match(conn, handle, keys).rows
        still_open = matched.filter(pc.is_null(matched["discarded_at"]))
        if not still_open.num_rows:
            return 0
        now = pa.scalar(datetime.now(UTC), still_open.schema.field("discarded_at").type)
        column = still_open.schema.get_field_index("discarded_at")
        decided = still_open.set_column(column, "discarded_at", pa.repeat(now, still_open.num_rows))
        found = rewrite.match(conn, handle, decided.select(KEY))
        _swap(handle, rewrite.replace(conn, handle, found, decided), found)
        return len(set(map(str, decided.select(PLACE).to_pylist())))


def _swap(handle: IcebergTable, added: list[DataFile], found: rewrite.Match) -> None:
    try:
        commit(handle, summary={}, added=added, removed=found.files)
    except Conflict:
        discard(handle, added)
        raise
