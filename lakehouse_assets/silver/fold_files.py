"""Folds landed CSV rows into the latest row per business key.

The order is that of landing: the running row number over all files. A row that cannot be cast or that breaks a rule is
refused, and the row before it stays. Where it stops: files carry no deletes; a key that a later file lacks stays.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
from pyiceberg.catalog import Catalog

from lakehouse_assets.bronze.land_files import identities
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import next_sequence
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.cast import broken, misfit, typed, values_of
from lakehouse_assets.silver.folding import Folded, Merged, Work, fold_bronze


def fold_files(platform: Platform, table: Table) -> Folded:
    """Folds every landed row beyond the watermark, a bounded slice a commit."""
    return fold_bronze(platform, table, schema.files(table), _merge_slice, again)


def again(work: Work) -> Merged:
    """`bronze_rows` below the watermark, folded once more; a row that a later one replaced changes nothing."""
    merged = _merge_slice(work)
    ignored = merged.ignored - merged.taken_in
    return replace(merged, taken_in=0, ignored=ignored, rejudged=True, superseded=None)


def _merge_slice(work: Work) -> Merged:
    conn, table, silver = work.conn, work.table, work.silver
    conn.register("landed_files", _landed_files(work.catalog, table))
    conn.execute(_staged_sql(table))
    conn.execute("""
        create or replace temp table judged as select topic, partition, "offset" from staged;
        create or replace temp table refused as
        select topic, partition, "offset", coalesce(misfit.rule, broken[1]) as rule,
          coalesce(misfit.reason, array_to_string(broken, ', ')) as reason, data
        from staged where misfit is not null or len(broken) > 0""")
    keys = ", ".join(quoted(k) for k in table.key)
    told = conn.sql(f"select distinct {keys} from staged where misfit is null and len(broken) = 0").to_arrow_table()
    conn.register("held", rewrite.match(conn, silver, told).rows)
    conn.execute(f"""
        create or replace temp table latest as
        select s.* from staged s left join held h using ({keys})
        where s.misfit is null and len(s.broken) = 0 and s.row_number > coalesce(h.row_number, -1)
        qualify row_number() over (partition by {keys} order by s.row_number desc) = 1""")
    found = rewrite.match(conn, silver, conn.sql(f"select {keys} from latest").to_arrow_table())
    names = ", ".join(quoted(n) for n in schema.files(table).schema.names if n != "load_sequence")
    rows = conn.sql(f"select {names}, {next_sequence(silver)}::bigint as load_sequence from latest").to_arrow_table()
    [(taken_in, valid)] = conn.execute("select count(*), count(data) from bronze_rows").fetchall()
    [(superseded,)] = conn.execute(f"""
        with told as (select {keys} from staged where misfit is null and len(broken) = 0)
        select count(*) - (select count(*) from (select distinct * from told) anti join held using ({keys})) from told
        """).fetchall()
    added = rewrite.replace(conn, silver, found, rows)
    return Merged(added, found.files, taken_in, taken_in - valid, superseded=superseded)


def _staged_sql(table: Table) -> str:
    """`bronze_rows`, `landed_files` -> `staged`: typed rows with misfit and broken claims."""
    columns = ", ".join(f"{typed(table, c)} as {quoted(c.name)}" for c in table.columns)
    names = ", ".join(quoted(c.name) for c in table.columns)
    return f"""
    create or replace temp table staged as
    with texts as (
      select b.*, {values_of(table, "b.data")} as _told, f.landing_sequence
      from bronze_rows b
      join landed_files f on b."offset" >= f.first_row and b."offset" < f.first_row + f.rows
      where b.data is not null),
    typed_rows as (select *, {columns} from texts)
    select {names}, source_file, landing_sequence, "offset" as row_number, topic, partition, "offset", data,
      {misfit(table, table.columns)} as misfit, {broken(table)} as broken
    from typed_rows"""


def _landed_files(catalog: Catalog, table: Table) -> pa.Table:
    found = identities(catalog, table)
    return pa.table(
        {
            "landing_sequence": pa.array([i.landing_sequence for i in found], pa.int64()),
            "first_row": pa.array([i.first_row for i in found], pa.int64()),
            "rows": pa.array([i.rows for i in found], pa.int64()),
        }
    )
