"""Builds days of a silver table anew from bronze: whole day partitions are replaced in one commit.

1. Take the bronze rows below the watermark whose change or event is of those days, and nothing that is yet to fold.
2. Merge them, by the same code as the folds, with what the table holds of other days.
3. Rejects of those rows are recorded anew; those that no longer apply are removed.

Safety: the watermark does not move, so that folds before and after a rebuild take each row once.
Where it stops: the range is one commit, so its rows must fit the memory; a long one is for the caller to cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import duckdb
from pyiceberg.expressions import (
    AlwaysFalse,
    And,
    BooleanExpression,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Or,
)
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.dead_letters import last_replay
from lakehouse_assets.bronze.epochs import epochs
from lakehouse_assets.bronze.land import state
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.debezium.position import within_epoch
from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, LOST, REBUILT_DAYS, marks
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure, load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import Mendable
from lakehouse_assets.partitions import FIRST_DAY
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.bronze_slice import folded_sql, watermark
from lakehouse_assets.silver.events_sql import staged_sql
from lakehouse_assets.silver.fold_changes import HIGHEST, STREAMED, highest, last_streamed, stage, whole_context
from lakehouse_assets.silver.fold_changes import merge as merge_changes
from lakehouse_assets.silver.fold_events import merge as merge_events
from lakehouse_assets.silver.folding import Folded, Merged, Work, finish
from lakehouse_assets.silver.snapshots import end_snapshots

_DAY = timedelta(days=1)


class CannotRebuild(Mendable):
    """Retention dropped the days, or what they are made of; the message names the oldest day that can be rebuilt."""


@dataclass(frozen=True)
class _Days:
    """Days `first` to `last` of a silver table whose partition is `column`."""

    column: str
    first: date
    last: date

    @property
    def inside(self) -> BooleanExpression:
        return And(
            GreaterThanOrEqual(self.column, self.first.isoformat()), LessThanOrEqual(self.column, self.last.isoformat())
        )

    @property
    def outside(self) -> BooleanExpression:
        return Or(LessThan(self.column, self.first.isoformat()), GreaterThan(self.column, self.last.isoformat()))


def rebuild_changes(platform: Platform, table: Table, first: date, last: date) -> Folded:
    """Builds the days `first` to `last` of `<table>_changes` anew. Raises CannotRebuild, RuleBroken, Conflict."""
    days = _Days("change_date", first, last)
    return settled(lambda: _rebuild(platform, table, schema.changes(table), days, first, _merge_changes))


def rebuild_events(platform: Platform, table: Table, first: date, last: date) -> Folded:
    """Builds the days `first` to `last` of a table of events anew. Raises CannotRebuild, Conflict.

    An event may lie a day ahead of its landing: the bronze day before the first is needed too.
    """
    days = _Days("event_date", first, last)
    return settled(lambda: _rebuild(platform, table, schema.events(table), days, first - _DAY, _merge_events))


def require_days(platform: Platform, table: Table, first: date) -> None:
    """Raises CannotRebuild where the day `first` of the table that is folded from bronze cannot be built anew."""
    catalog = platform.open_catalog()
    spec = schema.changes(table) if table.source.kind == "cdc" else schema.events(table)
    bronze, silver = load(catalog, f"bronze.{table.id}"), load(catalog, spec.identifier)
    if silver is not None:
        _require_kept(spec, silver, first)
    if bronze is not None:
        require_bronze(table, bronze, first, first if table.source.kind == "cdc" else first - _DAY)


def _rebuild(
    platform: Platform,
    table: Table,
    spec: TableSpec,
    days: _Days,
    needed: date,
    merge: Callable[[Work, _Days, list[DataFile]], Merged],
) -> Folded:
    """`needed` is the oldest bronze day that may hold rows of the days."""
    if days.first > days.last:
        raise ValueError(f"the first day {days.first} is after the last day {days.last}")
    catalog = platform.open_catalog()
    silver = ensure(catalog, spec)
    bronze = load(catalog, f"bronze.{table.id}")
    if bronze is None:
        return Folded()
    _require_kept(spec, silver, days.first)
    require_bronze(table, bronze, days.first, needed)
    folded = watermark(silver).offsets
    _require_landed(table, bronze, folded)
    work = Work(platform.open_duckdb(), catalog, table, bronze, silver, folded)
    replaced = data_files(silver, days.inside)
    merged = merge(work, days, replaced)
    [(judged,)] = work.conn.execute("select count(*) from judged").fetchall()
    if not judged and not replaced:
        return Folded()
    rebuilt = sorted(str(day) for day in merged.days or () if days.first <= day <= days.last)
    summary = {**merged.summary, REBUILT_DAYS: json.dumps(rebuilt)}
    same = _same_identities(bronze, silver, days)
    return finish(work, replace(merged, summary=summary, rejudged=True, superseded=None, is_rebuild=same))


def _same_identities(bronze: IcebergTable, silver: IcebergTable, days: _Days) -> bool:
    """Whether the days are told by the bronze rows that they were, with the positions that those had."""
    dropped = marks(silver).get(DROPPED_THROUGH, "")
    is_replayed = last_replay(bronze) <= watermark(silver).replayed
    return is_replayed and not epochs(bronze) and days.first.isoformat() > dropped


def _require_kept(spec: TableSpec, silver: IcebergTable, first: date) -> None:
    """What was landed long after it happened is in bronze for longer than in the table."""
    dropped = marks(silver).get(DROPPED_THROUGH)
    if dropped is not None and first <= date.fromisoformat(dropped):
        raise CannotRebuild(
            f"{spec.identifier}: day {first} is not rebuilt, because retention dropped the days up to {dropped}; the"
            f" oldest day that can be rebuilt is {date.fromisoformat(dropped) + _DAY}"
        )


def require_bronze(table: Table, bronze: IcebergTable, first: date, needed: date) -> None:
    """Raises CannotRebuild where bronze no longer holds the day `needed`, which the day `first` is built from."""
    dropped = marks(bronze).get(DROPPED_THROUGH)
    if dropped is not None and needed <= date.fromisoformat(dropped):
        oldest = date.fromisoformat(dropped) + _DAY + (first - needed)
        raise CannotRebuild(
            f"{table.id}: day {first} cannot be rebuilt, because bronze no longer holds the days up to {dropped}; the"
            f" oldest day that can be rebuilt is {oldest}"
        )


def _require_landed(table: Table, bronze: IcebergTable, folded: Mapping[str, int]) -> None:
    """After a rollback bronze lacks, until it is landed again, some of what the table has folded."""
    landed = {f"{table.topic}/{partition}": offset for partition, offset in state(bronze).offsets.items()}
    for place, offset in sorted(folded.items()):
        if landed.get(place, offset) < offset:
            raise CannotRebuild(
                f"{table.id}: {place} is folded up to offset {offset}, bronze was rolled back to {landed[place]}; land"
                " what was rolled away first, by an increment"
            )


def _merge_changes(work: Work, days: _Days, replaced: list[DataFile]) -> Merged:
    conn, table, known, begun = work.conn, work.table, marks(work.silver), epochs(work.bronze)
    near: BooleanExpression = LessThan("source_ts_ms", _milliseconds(days.last + _DAY))
    wanted = f"source_ts_ms < {_milliseconds(days.last + _DAY)}"
    if days.first > FIRST_DAY:
        near = And(near, GreaterThanOrEqual("source_ts_ms", _milliseconds(days.first)))
        wanted += f" and source_ts_ms >= {_milliseconds(days.first)}"
    if days.last < FIRST_DAY:
        near, wanted = AlwaysFalse(), "false"
    folded = folded_sql(conn, work.bronze, work.offsets, near)
    conn.execute(f"create or replace temp view bronze_rows as select * from ({folded}) where {wanted}")
    whole_context(work, begun)
    stage(conn, table, known.get(HIGHEST, ""), {}, begun)
    ended = end_snapshots(conn, known, known.get(HIGHEST, ""))
    merged = merge_changes(work, replaced, days.outside)
    identity = ", ".join([*(quoted(k) for k in table.key), "change_position"])
    [(lost,)] = conn.execute(f"""
        select count(*) from ({select(work.silver, replaced)}) where op != 't'
          and ({identity}) not in (select ({identity}) from resolved where op != 't')""").fetchall()
    told = {**highest(conn, known), **ended, STREAMED: _streamed(conn, known)}
    return replace(merged, summary={LOST: str(lost), **told})


def _streamed(conn: duckdb.DuckDBPyConnection, known: Mapping[str, str]) -> str:
    """The last streamed positions; one whose change is of another epoch since then is told anew."""
    streamed: dict[str, str] = json.loads(known.get(STREAMED, "{}"))
    moved = {p: at for p, at in last_streamed(conn).items() if within_epoch(at) == within_epoch(streamed.get(p, ""))}
    return json.dumps({**streamed, **moved})


def _merge_events(work: Work, days: _Days, replaced: list[DataFile]) -> Merged:
    """An event without a date is judged again with every day."""
    midnight = f"{(days.first - _DAY).isoformat()}T00:00:00+00:00"
    folded = folded_sql(work.conn, work.bronze, work.offsets, GreaterThanOrEqual("ingestion_timestamp", midnight))
    work.conn.execute(
        f"""
        create or replace temp table staged as
        select * from ({staged_sql(work.table, f"({folded})")})
        where event_date between $first and $last or event_date is null""",
        {"first": days.first, "last": days.last},
    )
    return merge_events(work, replaced=replaced, outside=days.outside)


def _milliseconds(day: date) -> int:
    return (day - date(1970, 1, 1)) // timedelta(milliseconds=1)
