"""The SQL of folding events, derived from the contract. Each statement says which relations it reads and makes.

Where it stops: running it, and the order of the steps, is `fold_events`'.
"""

from __future__ import annotations

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted
from lakehouse_assets.partitions import FIRST_DAY
from lakehouse_assets.silver.cast import broken, misfit, typed, values_of

CONFLICT = "conflicting_duplicate"
OUTSIDE_DAYS = "event_date_is_a_partition"

REFUSED_SQL = f"""
    create or replace temp table refused as
    select topic, partition, "offset",
      case when misfit is not null then misfit.rule when len(broken) > 0 then broken[1]
        else '{OUTSIDE_DAYS}' end as rule,
      case when misfit is not null then misfit.reason when len(broken) > 0 then array_to_string(broken, ', ')
        else event_date || ' is before {FIRST_DAY} or more than a day ahead' end as reason,
      data
    from staged where not is_right"""
"""`staged` -> `refused`: events that are wrong in themselves."""


def staged_sql(table: Table, bronze_rows: str) -> str:
    """SELECT of typed events out of a relation of bronze rows, with what is wrong with each.

    How far ahead an event lies is judged by when it was landed, so that a later run judges the same.
    """
    columns = ", ".join(f"{typed(table, c)} as {quoted(c.name)}" for c in table.columns)
    names = ", ".join(quoted(c.name) for c in table.columns)
    return f"""
    with texts as (
      select topic, partition, "offset", ingestion_timestamp, data, {values_of(table, "data")} as _told
      from {bronze_rows} where data is not null),
    typed_rows as (
      select *, {columns}, ({quoted(table.event_time or "")} at time zone 'UTC')::date as event_date from texts)
    select {names}, event_date, topic, partition, "offset", ingestion_timestamp, data,
      {misfit(table, table.columns)} as misfit, {broken(table)} as broken,
      misfit is null and len(broken) = 0 and coalesce(event_date between date '{FIRST_DAY.isoformat()}'
        and (ingestion_timestamp at time zone 'UTC')::date + 1, false) as is_right
    from typed_rows"""


def overturned_sql(table: Table) -> str:
    """`incoming`, `stored` -> keys whose stored event is contradicted by one that comes before it."""
    keys = ", ".join(f"s.{quoted(k)}" for k in table.key)
    same = " and ".join(f"s.{quoted(k)} = i.{quoted(k)}" for k in table.key)
    return f"""
    select distinct {keys} from stored s join incoming i on {same}
    where (i.topic, i.partition, i."offset") < (s.topic, s.partition, s."offset")
      and {_content(table, "i")} is distinct from {_content(table, "s")}"""


def first_of_each_sql(table: Table) -> str:
    """`incoming`, `stored` (of the same keys) -> `fresh`: the first event of a key where that is not the stored one;
    `displaced`: stored events that are not the first; in `refused` also those of other content than the first."""
    keys = ", ".join(quoted(k) for k in table.key)
    own = ["event_date", "topic", "partition", '"offset"', "ingestion_timestamp"]
    names = ", ".join([*(quoted(c.name) for c in table.columns), *own])
    return f"""
    create or replace temp table candidates as
    with told as (
      select {names}, data, false as is_stored from incoming
      union all
      select {names}, null, true from stored anti join incoming using (topic, partition, "offset"))
    select *, row_number() over w = 1 as is_first,
      {_content(table, "told")} is distinct from first_value({_content(table, "told")}) over w as is_other
    from told window w as (partition by {keys} order by topic, partition, "offset");
    insert into refused
    select topic, partition, "offset", '{CONFLICT}', 'the same key with other content came first', data
    from candidates where is_other;
    create or replace temp table fresh as select * from candidates where is_first and not is_stored;
    create or replace temp table displaced as select {keys} from stored semi join fresh using ({keys})"""


def _content(table: Table, relation: str) -> str:
    return f"row({', '.join(f'{relation}.{quoted(c.name)}' for c in table.columns)})"
