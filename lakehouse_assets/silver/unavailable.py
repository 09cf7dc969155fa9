"""Fills in large values that PostgreSQL left out of an update (TOAST): the key's last known value at that position.

A late change can explain rows that are already stored; those are revised. A value that no earlier change explains
stays null and is flagged `<column>_is_available`. Only keys with such a value, or with a late change, are looked up.
"""

from __future__ import annotations

import duckdb
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.silver.cast import can_be_unavailable


def resolve(
    conn: duckdb.DuckDBPyConnection, table: Table, silver: IcebergTable, outside: BooleanExpression | None
) -> None:
    """`fresh`, `displaced` -> `resolved`: fresh rows and stored rows whose values changed, and `revised`: identities of
    the stored rows that these replace. `outside` tells the rows that remain where whole files are replaced."""
    columns = [c.name for c in table.columns if can_be_unavailable(table, c)]
    keys = ", ".join(quoted(k) for k in table.key)
    if not columns:
        conn.execute("create or replace temp table resolved as select *, []::varchar[] as unknown from fresh")
        conn.execute(f"create or replace temp table revised as select {keys}, change_position from displaced")
        return
    unclear = conn.sql(f"select distinct {keys} from fresh where op != 't' and (is_late or len(unavailable) > 0)")
    known = rewrite.match(conn, silver, unclear.to_arrow_table(), outside)
    conn.register("known_changes", known.rows)
    conn.execute(f"create or replace temp table candidates as {_candidates(table, columns)}")
    conn.execute(f"create or replace temp table filled as {_filled(table, columns)}")
    changed = " or ".join(f"{quoted(c)} is distinct from was_{c}" for c in columns)
    conn.execute(f"""
        create or replace temp table resolved as
        select * from filled where is_fresh or unknown != was_unknown or {changed}""")
    conn.execute(f"""
        create or replace temp table revised as
        select {keys}, change_position from resolved where not is_fresh
        union all select {keys}, change_position from displaced""")


def _candidates(table: Table, columns: list[str]) -> str:
    own = "change_position, op, is_deleted, change_time, change_date, source_tx_id, topic, partition"
    names = f'{", ".join(quoted(c.name) for c in table.columns)}, {own}, "offset", ingestion_timestamp, unavailable'
    same = " and ".join(f"k.{quoted(n)} = d.{quoted(n)}" for n in (*table.key, "change_position"))
    unknown = ", ".join(f"case when list_contains(violations, '{c}_is_available') then '{c}' end" for c in columns)
    return f"""
    select {names}, true as is_fresh, []::varchar[] as was_unknown from fresh
    union all
    select {names}, false, list_filter([{unknown}], lambda x: x is not null)
    from known_changes k anti join displaced d on {same}"""


def _filled(table: Table, columns: list[str]) -> str:
    keys = ", ".join(quoted(k) for k in table.key)
    window = f"over (partition by {keys} order by change_position rows between unbounded preceding and 1 preceding)"
    known = ", ".join(
        f"last_value(case when not list_contains(unavailable, '{c}') then {{'v': {quoted(c)}}} end ignore nulls)"
        f" {window} as known_{c}"
        for c in columns
    )
    values = ", ".join(
        f"case when list_contains(unavailable, '{c}') then known_{c}.v else {quoted(c)} end as {quoted(c)}"
        for c in columns
    )
    was = ", ".join(f"{quoted(c)} as was_{c}" for c in columns)
    unknown = ", ".join(
        f"case when list_contains(unavailable, '{c}') and known_{c} is null then '{c}' end" for c in columns
    )
    rest = ", ".join(quoted(c) for c in columns)
    return f"""
    with looked_up as (select *, {known} from candidates)
    select * exclude ({rest}, {", ".join(f"known_{c}" for c in columns)}), {values}, {was},
      list_filter([{unknown}]::varchar[], lambda x: x is not null) as unknown
    from looked_up"""
