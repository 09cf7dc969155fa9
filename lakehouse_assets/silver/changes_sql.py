"""The SQL of folding changes, derived from the contract. Each statement says which relations it reads and makes.

Where it stops: running it, and the order of the steps, is `fold_changes`'.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.debezium import position, snapshot
from lakehouse_assets.engines.debezium.position import Epochs
from lakehouse_assets.engines.duckdb.session import quoted
from lakehouse_assets.partitions import FIRST_DAY
from lakehouse_assets.silver.cast import broken, can_be_unavailable, misfit, typed, unavailable, values_of
from lakehouse_assets.silver.written import Way

IS_CHANGE = "error is null and op in ('c', 'r', 'u', 'd', 't')"
IS_INCREMENTAL = "op = 'r' and coalesce(source_snapshot, '') = 'incremental'"

IS_SNAPSHOT_END = f"op = 't' and {position.is_end_sql('change_position')}"
"""Of a row of the changes table, that no message of its own tells it."""

FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""Milliseconds of the years 1 to 9999: no other time is a timestamp for every reader."""

PRECEDING_SQL = """
    create or replace temp table preceding as
    select c.topic, c.partition, c."offset", coalesce(c.before, s.value, '') as before
    from (
      select topic, partition, "offset", is_incremental,
        last_value(streamed_position ignore nulls) over (
          partition by topic, partition order by "offset" rows between unbounded preceding and 1 preceding) as before
      from context) c
    left join streamed s on s.place = c.topic || '/' || c.partition
    where c.is_incremental"""
"""`context`, `streamed` (last streamed position per place before the context) -> `preceding`, that of each incremental
snapshot's read."""


def context_sql(bronze_rows: str, epochs: Epochs) -> str:
    """The places of changes in their partitions, from a relation of bronze rows and `after_snapshot`."""
    return f"""
        select topic, partition, "offset", {IS_INCREMENTAL} as is_incremental,
          case when op != 'r' then {position.sql(epochs, "snapshot_lsn")} end as streamed_position
        from {bronze_rows} left join after_snapshot using (topic, partition, "offset") where {IS_CHANGE}"""


def incoming_sql(table: Table, epochs: Epochs, ways: Sequence[Way]) -> str:
    """`bronze_rows`, `preceding`, `after_snapshot`, `written` -> `incoming`: typed changes with position, misfit and
    whether they may be known.

    Parameter `highest`: the highest position that was ever folded. One beyond it cannot be a redelivery, whichever
    partition it came through.
    """
    columns = ", ".join(f"{_payload(table, c.name, typed(table, c, ways))} as {quoted(c.name)}" for c in table.columns)
    names = ", ".join(quoted(c.name) for c in table.columns)
    keys = " or ".join(f"{quoted(k)} is null" for k in table.key)
    day = f"greatest((change_time at time zone 'UTC')::date, date '{FIRST_DAY.isoformat()}')"
    return f"""
    create or replace temp table incoming as
    with changes as (
      select b.*, {values_of(table, "b.data")} as _told, coalesce(w.way, 0) as _way,
        coalesce({position.sql(epochs, "snapshot_lsn")}, {position.incremental_sql("p.before", epochs)})
          as change_position,
        case when source_ts_ms between {FIRST_MS} and {LAST_MS} then make_timestamptz(source_ts_ms * 1000) end
          as change_time
      from bronze_rows b
      left join preceding p using (topic, partition, "offset")
      left join after_snapshot using (topic, partition, "offset")
      left join written w using (data_schema)
      where {IS_CHANGE}),
    typed_rows as (select *, {columns} from changes)
    select {names}, change_position, op, op in ('d', 't') as is_deleted, change_time, {day} as change_date,
      source_tx_id, topic, partition, "offset", ingestion_timestamp, data, {IS_INCREMENTAL} as is_incremental,
      {snapshot.is_end_sql()} as ends_snapshot,
      case when op in ('d', 't') then [] else {unavailable(table)} end as unavailable,
      case when op = 't' then null
        when op = 'd' then {misfit(table, table.key_columns)} else {misfit(table, table.columns)} end as misfit_value,
      case when misfit_value is not null then misfit_value
        when change_time is null then {{'rule': 'not_representable', 'reason': 'source.ts_ms is not a time'}}
        when op != 't' and ({keys}) then {{'rule': 'key_is_present', 'reason': 'the key is missing'}} end as misfit,
      change_position <= $highest as is_late
    from typed_rows"""


ENDS_SQL = f"""
    create or replace temp table ends as
    select {position.end_sql("change_position")} as change_position, change_time, change_date, source_tx_id, topic,
      partition, "offset", ingestion_timestamp
    from incoming where ends_snapshot and change_time is not null"""
"""`incoming` -> `ends`: of each complete snapshot whose last read is there, also where that one is refused."""


def first_deliveries_sql(table: Table) -> str:
    """`incoming`, `stored` (changes of the same position and key) -> `fresh`: one row per change, the first by topic,
    partition and offset, where that is not the stored one; `displaced`: stored ones that are not the first."""
    keys = ", ".join(quoted(k) for k in table.key)
    same = " and ".join(f"s.{quoted(k)} is not distinct from i.{quoted(k)}" for k in (*table.key, "change_position"))
    return f"""
    create or replace temp table fresh as
    select i.* exclude (copy) from (
      select *, row_number() over (partition by change_position, {keys} order by topic, partition, "offset") as copy
      from incoming) i
    left join stored s on {same}
    where i.copy = 1 and (s.change_position is null
      or (i.topic, i.partition, i."offset") < (s.topic, s.partition, s."offset"));
    create or replace temp table displaced as
    select {keys}, change_position from stored s semi join fresh i on {same}"""


def superseded_sql(table: Table) -> str:
    """`incoming`, `stored` -> how many changes were told before, or are told more than once; the ends of snapshots,
    which no message of their own tells, are not counted."""
    identity = ", ".join([*(quoted(k) for k in table.key), "change_position"])
    same = " and ".join(f"s.{quoted(k)} is not distinct from t.{quoted(k)}" for k in (*table.key, "change_position"))
    return f"""
    with told as (select {identity} from incoming where not ({IS_SNAPSHOT_END}))
    select count(*) - (select count(*) from (select distinct * from told) t anti join stored s on {same}) from told"""


def rows_sql(table: Table, load_sequence: int) -> str:
    """`resolved` (fresh and revised rows, filled in) -> rows of the table."""
    names = ", ".join(quoted(c.name) for c in table.columns)
    unknown = [
        f"case when list_contains(unknown, '{c.name}') then '{c.name}_is_available' end"
        for c in table.columns
        if can_be_unavailable(table, c)
    ]
    extra = f"list_filter([{', '.join(unknown)}]::varchar[], lambda x: x is not null)"
    return f"""
    select {names}, change_position, op, is_deleted, change_time, change_date, source_tx_id, topic, partition,
      "offset", ingestion_timestamp, {load_sequence}::bigint as load_sequence, unavailable,
      case when is_deleted then []::varchar[] else list_concat({broken(table)}, {extra}) end as violations
    from resolved"""


def _payload(table: Table, name: str, value: str) -> str:
    """A delete tells only its key, a truncate nothing."""
    return (
        f"case when op != 't' then {value} end"
        if name in table.key
        else f"case when op not in ('d', 't') then {value} end"
    )
