"""Begins a new epoch of a source whose log began anew: after a failover, a restore or RESET MASTER.

1. Per table, find from which offset of each partition on the new log tells: the last rows that lie below the highest
   folded position although they are newer than it, or those of a given time on, dead letters that can be read as
   changes included. Where there are none yet, it begins with the next row to land.
2. Write that as one fenced commit of the bronze table (`bronze/epochs.py`).
3. Commit to silver, so that a fold that is under way without knowing the epoch is refused and reads bronze again.
4. Build anew the days of rows that were folded from beyond those offsets, as changes of the old log.

Safety: every message of the topics must be landed, so that none of the old log can come after the beginning.
Where it stops: the connector itself is started, stopped and given its offsets by whoever runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial

import duckdb
import pyarrow as pa
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.epochs import begin, epochs
from lakehouse_assets.bronze.land import state
from lakehouse_assets.contracts.registry import sources, tables
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.debezium import envelope, position
from lakehouse_assets.engines.duckdb.session import select
from lakehouse_assets.engines.iceberg.commit import commit, marks
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput, Mendable
from lakehouse_assets.partitions import FIRST_DAY
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.bronze_slice import places, watermark
from lakehouse_assets.silver.changes_sql import IS_CHANGE, IS_INCREMENTAL
from lakehouse_assets.silver.fold_changes import HIGHEST, HIGHEST_MS
from lakehouse_assets.silver.rebuild import rebuild_changes, require_bronze


class UnknownSource(BadInput):
    """A source without a connector; the message names those that have one."""


class NotLanded(Mendable):
    """The log holds messages that bronze does not; the message says of which topic, and how to land them."""


@dataclass(frozen=True)
class Beginning:
    """A table's epoch now, and the next one: the first offset per partition, and the days that are built anew."""

    table: str
    topic: str
    epoch: int
    first_offsets: Mapping[int, int]
    rebuilt: tuple[date, date] | None = None


def plan(platform: Platform, source: str, since: datetime | None = None) -> list[Beginning]:
    """What `reset` would do, per table of the source that was ever landed; nothing is changed.

    Raises UnknownSource, NotLanded, CannotRebuild.
    """
    return [_plan(platform, table, bronze, since) for table, bronze in _landed(platform, source)]


def reset(platform: Platform, source: str, since: datetime | None = None) -> list[Beginning]:
    """Begins the next epoch in every table of the source. Raises UnknownSource, NotLanded, CannotRebuild, Conflict."""
    plan(platform, source, since)
    return [_reset(platform, table, since) for table, _ in _landed(platform, source)]


def _reset(platform: Platform, table: Table, since: datetime | None) -> Beginning:
    begun = settled(partial(_begin, platform, table, since))
    settled(partial(_refuse_folds_under_way, platform, table))
    bronze = platform.open_catalog().load_table(f"bronze.{table.id}")
    days = _folded_days(platform, table, bronze, begun.first_offsets)
    if days is not None:
        rebuild_changes(platform, table, *days)
    return replace(begun, rebuilt=days)


def _begin(platform: Platform, table: Table, since: datetime | None) -> Beginning:
    bronze = platform.open_catalog().load_table(f"bronze.{table.id}")
    planned = _plan(platform, table, bronze, since)
    begin(bronze, planned.first_offsets)
    return planned


def _refuse_folds_under_way(platform: Platform, table: Table) -> None:
    silver = load(platform.open_catalog(), schema.changes_name(table))
    if silver is not None:
        commit(silver, summary={})


def _landed(platform: Platform, source: str) -> list[tuple[Table, IcebergTable]]:
    captured = [each.name for each in sources() if each.kind == "cdc"]
    if source not in captured:
        raise UnknownSource(f"no source {source!r} has a connector; there are {', '.join(captured)}")
    catalog = platform.open_catalog()
    found = ((table, load(catalog, f"bronze.{table.id}")) for table in tables() if table.source.name == source)
    return [(table, bronze) for table, bronze in found if bronze is not None]


def _plan(platform: Platform, table: Table, bronze: IcebergTable, since: datetime | None) -> Beginning:
    silver = load(platform.open_catalog(), schema.changes_name(table))
    ends = _ends(platform, table, bronze)
    with platform.open_duckdb() as conn:
        _tell(conn, table, bronze, marks(silver) if silver is not None else {}, since)
        begun = {**ends, **_first_offsets(conn)}
    days = _folded_days(platform, table, bronze, begun)
    if days is not None:
        require_bronze(table, bronze, days[0], days[0])
    return Beginning(table.id, table.topic, len(epochs(bronze)), dict(sorted(begun.items())), days)


def _ends(platform: Platform, table: Table, bronze: IcebergTable) -> dict[int, int]:
    """The next offset to land per partition. Raises NotLanded where the log holds it already."""
    landed = state(bronze).offsets
    for partition, bounds in platform.log.bounds(table.topic).items():
        following = landed.get(partition, bounds.start)
        if following < bounds.end:
            raise NotLanded(
                f"{table.id}: topic {table.topic}, partition {partition}, offsets {following} to {bounds.end} are not"
                f" landed yet; stop the connector and run `lakehouse materialize key:bronze/{table.id}` first"
            )
    return dict(landed)


def _tell(
    conn: duckdb.DuckDBPyConnection,
    table: Table,
    bronze: IcebergTable,
    known: Mapping[str, str],
    since: datetime | None,
) -> None:
    """Makes `told`: the changes with their place in a partition, and whether it is the new log that tells them. A read
    of an incremental snapshot has no position of its own: it is of the new log from that one's first change on."""
    behind = f"{position.place_sql(position.sql(epochs(bronze)))} < {position.place_sql('$highest::varchar')}"
    moment = int(known.get(HIGHEST_MS, 0)) + 1 if since is None else int(since.timestamp() * 1000)
    conn.execute(
        f"""
        create or replace temp table told as
        select partition, "offset",
          case when $has_time then source_ts_ms >= $moment
            when {IS_INCREMENTAL} then coalesce(source_ts_ms >= min(source_ts_ms) filter (is_behind) over (), false)
            else is_behind end as is_new
        from (
          select *, not ({IS_INCREMENTAL}) and source_ts_ms >= $moment and {behind} as is_behind
          from ({_changes_sql(table, bronze)}))""",
        {"moment": moment, "has_time": since is not None, "highest": known.get(HIGHEST, "")},
    )


def _changes_sql(table: Table, bronze: IcebergTable) -> str:
    """SELECT of the changes, and of the dead letters whose bytes tell one: a replay folds it at its own offset, which
    must then be of the log that told it."""
    rows = select(bronze, data_files(bronze))
    dead = f"""
        select partition, "offset", try(decode(raw)) as text, key as key_text, is_tombstone from ({rows})
        where error is not null and discarded_at is null"""
    needed = "columns('^(partition|offset|op|source_.*)$')"
    return f"""
        select {needed} from ({rows}) where {IS_CHANGE}
        union all by name
        select {needed} from ({envelope.select(dead, table.source)})
        where op in ('c', 'r', 'u', 'd', 't') and source_ts_ms is not null"""


def _first_offsets(conn: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """Where the new log begins in the partitions that hold some of it: after the last change of the old one."""
    found = conn.execute("""
        select partition, coalesce(max("offset") filter (not is_new) + 1, 0) from told group by partition
        having arg_max(is_new, "offset")""")
    return dict(found.fetchall())


def _folded_days(
    platform: Platform, table: Table, bronze: IcebergTable, begun: Mapping[int, int]
) -> tuple[date, date] | None:
    """The days of changes beyond the first offsets that were folded already; None where none were."""
    silver = load(platform.open_catalog(), schema.changes_name(table))
    folded = watermark(silver).offsets if silver is not None else {}
    with platform.open_duckdb() as conn:
        conn.register("folded_places", places(folded, pa.int64()))
        conn.register("begun_places", places({str(p): offset for p, offset in begun.items()}, pa.int64()))
        [(first, last)] = conn.execute(f"""
            select min(source_ts_ms), max(source_ts_ms) from ({select(bronze, data_files(bronze))}) t
            join folded_places f on f.place = t.topic || '/' || t.partition
            join begun_places b on b.place = t.partition::varchar
            where {IS_CHANGE} and t."offset" >= b.value and t."offset" < f.value""").fetchall()
    return None if first is None else (_day(first), _day(last))


def _day(milliseconds: int) -> date:
    """Changes of before the first day belong to it."""
    return max(datetime.fromtimestamp(milliseconds / 1000, UTC).date(), FIRST_DAY)
