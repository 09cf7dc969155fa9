"""What the folds share: the loop over slices of bronze, and the commit of rows, marks, counts and rejects.

1. Each slice is one commit over a table that is read anew; a conflict repeats from the present watermark.
2. New rejects are written first, then rows, watermark and counts as one snapshot; rejects that no longer apply go last,
   so that a crash at any point leaves no row out of both.
3. Dead letters that were replayed come after the slices, one commit per replay.

Where it stops: which rows a slice adds and replaces is each fold's own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.flood import First, Flood, refuse_flood
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import DAYS, LOAD_SEQUENCE, commit, discard, marks, next_sequence
from lakehouse_assets.engines.iceberg.scan import rows_of
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure, load
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import bronze_slice, rejects
from lakehouse_assets.silver.accounting import REFUSED, Account, account, refused_by_rule
from lakehouse_assets.silver.undeclared import noticed


@dataclass(frozen=True)
class Folded:
    """What one run did, in rows; `days` are the ISO days whose rows it wrote or replaced, `cleared` counts bronze rows
    that were rejects and are none any more."""

    account: Account = field(default_factory=Account)
    days: frozenset[str] = frozenset()
    cleared: int = 0

    def __add__(self, other: Folded) -> Folded:
        return Folded(self.account + other.account, self.days | other.days, self.cleared + other.cleared)


@dataclass(frozen=True)
class Work:
    """A silver table as it was read, and what its commit says beside rows and counts.

    `offsets` are the bronze offsets (per `topic/partition`) below which everything is folded after the commit.
    """

    conn: duckdb.DuckDBPyConnection
    catalog: Catalog
    table: Table
    bronze: IcebergTable
    silver: IcebergTable
    offsets: Mapping[str, int]
    summary: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Merged:
    """Files to swap in one commit. The refused rows are the session's table `refused`, the rows that were decided on
    `judged`; `rejudged` where some of those were folded before, so that their old rejects are counted anew;
    `superseded` how many of the rows of a first fold lost to another one of their identity, None where it is no first
    fold; `is_rebuild` where it is whole days again; `derived` how many more rows there are that no bronze row of their
    own tells."""

    added: list[DataFile]
    removed: list[DataFile]
    taken_in: int = 0
    ignored: int = 0
    days: Iterable[date] | None = None
    summary: Mapping[str, str] = field(default_factory=dict)
    rejudged: bool = False
    superseded: int | None = None
    is_rebuild: bool = False
    derived: int = 0


def fold_bronze(
    platform: Platform,
    table: Table,
    spec: TableSpec,
    merge: Callable[[Work], Merged],
    again: Callable[[Work], Merged],
) -> Folded:
    """Folds what bronze holds beyond the table's watermark; nothing where bronze does not exist yet.

    `merge` finds the slice's rows in the session's view `bronze_rows`, `again` those of a replay, which were counted as
    ignored. Raises Conflict where others kept committing.
    """
    done: list[Folded] = []
    settled(lambda: _drain(platform, table, spec, merge, again, done))
    return sum(done, Folded())


def _drain(
    platform: Platform,
    table: Table,
    spec: TableSpec,
    merge: Callable[[Work], Merged],
    again: Callable[[Work], Merged],
    done: list[Folded],
) -> None:
    catalog = platform.open_catalog()
    silver = ensure(catalog, spec)
    bronze = load(catalog, f"bronze.{table.id}")
    if bronze is None:
        return
    conn = platform.open_duckdb()
    for piece in bronze_slice.slices(bronze, bronze_slice.watermark(silver)):
        silver = catalog.load_table(spec.identifier)
        offsets = bronze_slice.register(conn, bronze, piece, bronze_slice.watermark(silver))
        consumed = {bronze_slice.SNAPSHOT: str(piece.snapshot_id)} if piece.snapshot_id is not None else {}
        summary = {**consumed, bronze_slice.OFFSETS: json.dumps(offsets), **noticed(conn, table, marks(silver))}
        work = Work(conn, catalog, table, _again(bronze), silver, offsets, summary)
        merged = merge(work)
        _refuse_flood(platform, work, merged)
        done.append(finish(work, merged))
    for number in bronze_slice.replays(conn, bronze, bronze_slice.watermark(catalog.load_table(spec.identifier))):
        silver = catalog.load_table(spec.identifier)
        mark = bronze_slice.watermark(silver)
        if mark.replayed < number:
            bronze_slice.register_replay(conn, bronze, number, mark)
            replayed = {bronze_slice.REPLAYED: str(number)}
            work = Work(conn, catalog, table, _again(bronze), silver, mark.offsets, replayed)
            done.append(finish(work, again(work)))


def _again(bronze: IcebergTable) -> IcebergTable:
    """Read after silver was, which a new epoch is followed by a commit of: whoever read bronze before it conflicts."""
    return bronze.catalog.load_table(bronze.name())


def _refuse_flood(platform: Platform, work: Work, merged: Merged) -> None:
    """Only of rows that are folded for the first time: what is judged again was let in already. Raises Flood."""
    conn = work.conn
    [(refused, total)] = conn.execute("""
        select (select count(distinct (topic, partition, "offset")) from refused), (select count(*) from judged)
        """).fetchall()

    def first() -> First:
        return First(
            *conn.execute("""
            select topic, partition, "offset", rule || ': ' || reason from refused order by all limit 1
            """).fetchall()[0]
        )

    try:
        refuse_flood(platform, work.table, "rejects", refused, total, first)
    except Flood:
        discard(work.silver, merged.added)
        raise


def finish(work: Work, merged: Merged) -> Folded:
    """Writes the rejects, then commits. Raises Conflict; the files of a commit that did not come about are deleted."""
    conn, silver = work.conn, work.silver
    known = marks(silver)
    rejects.record(conn, work.catalog, work.table)
    if merged.rejudged:
        refused = rejects.counted(conn, work.catalog, work.table, work.offsets)
    else:
        found = conn.execute("select rule, count(*) from refused group by 1").fetchall()
        refused = refused_by_rule(known) + Counter(dict(found))
    more = rows_of(merged.added) - rows_of(merged.removed) - merged.derived
    before = account(known)
    after = before.after(
        merged.taken_in, merged.ignored, more, refused.total(), _superseded(conn, merged), merged.derived
    )
    days = None if merged.days is None else frozenset(map(str, merged.days))
    try:
        commit(
            silver,
            summary={
                **work.summary,
                **merged.summary,
                **after.summary(),
                REFUSED: json.dumps(dict(sorted(refused.items()))),
                LOAD_SEQUENCE: str(next_sequence(silver)),
                **({} if days is None else {DAYS: json.dumps(sorted(days))}),
            },
            added=merged.added,
            removed=merged.removed,
        )
    except Conflict:
        discard(silver, merged.added)
        raise
    return Folded(after - before, days or frozenset(), rejects.clear(conn, work.catalog, work.table))


def _superseded(conn: duckdb.DuckDBPyConnection, merged: Merged) -> int | None:
    """Days that are built anew have the identities that they had, as long as the same rows are refused."""
    if merged.superseded is not None or not merged.is_rebuild:
        return merged.superseded
    [(changed,)] = conn.execute("""
        select (select count(*) from stale) + (
          select count(*) from refused anti join standing using (topic, partition, "offset", rule))""").fetchall()
    return None if changed else 0
