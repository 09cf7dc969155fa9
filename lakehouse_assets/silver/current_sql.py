"""The SQL of folding changes into current rows. Each statement says which relations it reads and makes.

Where it stops: running it, and the order of the steps, is `fold_current`'s.
"""

from __future__ import annotations

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted


def latest_sql(table: Table) -> str:
    """`news`, `suspects` (keys), `history` (all changes of these) -> `latest`: the last change of each key."""
    keys = ", ".join(quoted(k) for k in table.key)
    return f"""
    create or replace temp table latest as
    select * from (
      select * from news anti join suspects using ({keys}) where op != 't' union all by name select * from history)
    qualify row_number() over (partition by {keys} order by change_position desc) = 1"""


def differing_sql(table: Table) -> str:
    """`latest`, `suspects`, `held` (their current rows), `below_files` -> `differing`, with `is_gone`.

    Parameters: `truncated`, the highest position of a truncate, and `mark`, the load_sequence that was folded.
    """
    keys = ", ".join(quoted(k) for k in table.key)
    columns = ", ".join(quoted(c.name) for c in table.columns)
    rest = "change_position, change_time, violations"
    return f"""
    create or replace temp table differing as
    with judged as (
      select {columns}, {rest}, load_sequence, is_deleted or change_position <= $truncated as is_gone from latest)
    select j.* exclude (load_sequence) from judged j left join held h using ({keys})
    where case when h.change_position is null then not j.is_gone
      else j.is_gone or j.change_position != h.change_position or j.load_sequence > $mark end
    union all by name
    select {columns}, {rest}, true as is_gone from held semi join suspects using ({keys})
      anti join latest using ({keys})
    union all by name
    select {columns}, {rest}, true as is_gone from below_files anti join latest using ({keys})
      anti join suspects using ({keys})
    where change_position <= $truncated"""
