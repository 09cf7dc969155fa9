"""Which bronze rows a silver table has not folded yet, in bounded slices.

A watermark is the consumed bronze snapshot with the next offset per topic partition, written in the commit that folds
the rows. The snapshot finds the new files cheaply; the offsets decide row by row, so that an expired snapshot, a
compaction or a rollback of bronze skips and repeats nothing. A dead letter that was replayed lies below the offsets: it
is found by the number of the commit that replayed it, and the watermark says up to which number they were folded.
Where it stops: what the rows mean is the folds' business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from pyiceberg.expressions import (
    AlwaysFalse,
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    Or,
)
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.dead_letters import last_replay
from lakehouse_assets.engines.duckdb.session import connect, register_files, select
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.progress import moved
from lakehouse_assets.engines.iceberg.scan import appends_since, data_files, rows_of

SNAPSHOT = "lakehouse.bronze-snapshot"
OFFSETS = "lakehouse.bronze-offsets"
REPLAYED = "lakehouse.bronze-replay-sequence"

SLICE_ROWS = 500_000


@dataclass(frozen=True)
class Watermark:
    """`offsets` maps `topic/partition` to the next offset to fold; `replayed` numbers the last folded replay."""

    snapshot_id: int | None
    offsets: Mapping[str, int]
    replayed: int = 0


@dataclass(frozen=True)
class Slice:
    """Files that hold the next rows, those below the offsets `below` where it names the partition.

    `snapshot_id` is the bronze snapshot that they complete; None where more of it is to come.
    """

    files: list[DataFile]
    snapshot_id: int | None
    below: Mapping[str, int]


def watermark(silver: IcebergTable) -> Watermark:
    return watermark_of(marks(silver))


def watermark_of(known: Mapping[str, str]) -> Watermark:
    """Of a silver table's marks."""
    snapshot = known.get(SNAPSHOT)
    return Watermark(
        int(snapshot) if snapshot else None, json.loads(known.get(OFFSETS, "{}")), int(known.get(REPLAYED, 0))
    )


def is_consumed(bronze: IcebergTable, mark: Watermark) -> bool:
    """Whether no row lies beyond the watermark. A compaction adds none, and is not looked at."""
    return last_replay(bronze) <= mark.replayed and _is_read(bronze, mark)


def _is_read(bronze: IcebergTable, mark: Watermark) -> bool:
    snapshot = bronze.current_snapshot()
    if snapshot is None or snapshot.snapshot_id == mark.snapshot_id:
        return True
    consumed = bronze.snapshot_by_id(mark.snapshot_id) if mark.snapshot_id is not None else None
    if consumed is None:
        return not data_files(bronze, _beyond(mark))
    return not moved(bronze, consumed.sequence_number or 0)


def slices(bronze: IcebergTable, mark: Watermark, rows: int = SLICE_ROWS) -> Iterator[Slice]:
    """What lies beyond the watermark in the order of landing, at about `rows` rows a slice."""
    snapshot = bronze.current_snapshot()
    if snapshot is None or _is_read(bronze, mark):
        return
    appended = appends_since(bronze, mark.snapshot_id)
    if appended is None:
        yield from _windows(bronze, mark, snapshot.snapshot_id, rows)
        return
    waiting: list[DataFile] = []
    for snapshot_id, files in appended:
        waiting += files
        if rows_of(waiting) >= rows and snapshot_id != snapshot.snapshot_id:
            yield Slice(waiting, snapshot_id, {})
            waiting = []
    yield Slice(waiting, snapshot.snapshot_id, {})


def register(conn: duckdb.DuckDBPyConnection, bronze: IcebergTable, piece: Slice, mark: Watermark) -> dict[str, int]:
    """Makes the view `bronze_rows` of the slice's rows beyond the watermark; returns the offsets that come after.

    A row whose replay is yet to fold is still the dead letter that it was, so that it counts once.
    """
    register_files(conn, "bronze_files", bronze, piece.files)
    conn.register("folded_places", places(mark.offsets, pa.int64()))
    conn.register("bounded_places", places(piece.below, pa.int64()))
    waits = f"coalesce(replay_sequence > {mark.replayed}, false)" if last_replay(bronze) > mark.replayed else "false"
    conn.execute(f"""
        create or replace temp view bronze_rows as
        select f.* replace (case when {waits} then 'not replayed yet' else error end as error,
          case when not {waits} then data end as data)
        from bronze_files f
        left join folded_places k on k.place = f.topic || '/' || f.partition
        left join bounded_places b on b.place = f.topic || '/' || f.partition
        where f."offset" >= coalesce(k.value, 0) and (b.value is null or f."offset" < b.value)""")
    reached = conn.execute("""select topic || '/' || partition, max("offset") + 1 from bronze_rows group by 1""")
    return {**mark.offsets, **dict(reached.fetchall())}


def replays(conn: duckdb.DuckDBPyConnection, bronze: IcebergTable, mark: Watermark) -> list[int]:
    """The numbers of the replays beyond the watermark, in their order."""
    if last_replay(bronze) <= mark.replayed:
        return []
    files = data_files(bronze, GreaterThan("replay_sequence", mark.replayed))
    found = conn.execute(f"""
        select distinct replay_sequence from ({select(bronze, files)})
        where replay_sequence > {mark.replayed} order by 1""")
    return [number for (number,) in found.fetchall()]


def register_replay(conn: duckdb.DuckDBPyConnection, bronze: IcebergTable, number: int, mark: Watermark) -> None:
    """Makes the view `bronze_rows` of the rows of one replay, which lie below the watermark."""
    folded = folded_sql(conn, bronze, mark.offsets, EqualTo("replay_sequence", number))
    replayed = f"select * from ({folded}) where replay_sequence = {number}"
    conn.execute(f"create or replace temp view bronze_rows as {replayed}")


def folded_sql(
    conn: duckdb.DuckDBPyConnection, bronze: IcebergTable, offsets: Mapping[str, int], near: BooleanExpression
) -> str:
    """SELECT of the bronze rows below the offsets, out of the files that may hold rows of `near`."""
    conn.register("folded_places", places(offsets, pa.int64()))
    return f"""
        select f.* from ({select(bronze, data_files(bronze, near))}) f
        join folded_places k on k.place = f.topic || '/' || f.partition
        where f."offset" < k.value"""


def between_sql(
    conn: duckdb.DuckDBPyConnection, bronze: IcebergTable, then: Mapping[str, int], now: Mapping[str, int]
) -> str:
    """SELECT of the bronze rows that were folded between two watermarks' offsets."""
    conn.register("earlier_places", places(then, pa.int64()))
    return f"""
        select f.* from ({folded_sql(conn, bronze, now, _beyond(Watermark(None, then)))}) f
        left join earlier_places e on e.place = f.topic || '/' || f.partition
        where f."offset" >= coalesce(e.value, 0)"""


def places(values: Mapping[str, int] | Mapping[str, str], kind: pa.DataType) -> pa.Table:
    """Values per `topic/partition` as a relation (place, value)."""
    return pa.table({"place": pa.array(list(values), pa.string()), "value": pa.array(list(values.values()), kind)})


def _beyond(mark: Watermark) -> BooleanExpression:
    """Tells by statistics the files that may hold rows beyond the watermark; a partition that it lacks begins anew."""
    topics = {place.rpartition("/")[0] for place in mark.offsets}
    if len(topics) != 1:
        return AlwaysTrue()
    [topic] = topics
    known = {int(place.rpartition("/")[2]): offset for place, offset in mark.offsets.items()}
    near: BooleanExpression = Or(LessThan("topic", topic), GreaterThan("topic", topic))
    near = Or(near, LessThan("partition", 0), GreaterThan("partition", max(known)))
    for partition in range(max(known) + 1):
        near = Or(near, And(EqualTo("partition", partition), GreaterThanOrEqual("offset", known.get(partition, 0))))
    return near


def _windows(bronze: IcebergTable, mark: Watermark, snapshot_id: int, rows: int) -> Iterator[Slice]:
    """By offset, where the snapshots since the watermark have expired: the backlog may be the whole table."""
    with connect(storage=bronze.io.properties) as conn:
        register(conn, bronze, Slice(data_files(bronze, _beyond(mark)), snapshot_id, {}), mark)
        spans = {
            place: (first, end)
            for place, first, end in conn.execute("""
                select topic || '/' || partition, min("offset"), max("offset") + 1 from bronze_rows group by 1
                """).fetchall()
        }
    step = max(1, rows // max(1, len(spans)))
    last = max((-(-(end - first) // step) for first, end in spans.values()), default=1)
    for number in range(1, last + 1):
        near: BooleanExpression = AlwaysFalse()
        for place, (first, end) in spans.items():
            low, high = first + (number - 1) * step, min(first + number * step, end)
            partition = EqualTo("partition", int(place.rpartition("/")[2]))
            near = Or(near, And(partition, GreaterThanOrEqual("offset", low), LessThan("offset", high)))
        below = {place: min(first + number * step, end) for place, (first, end) in spans.items()}
        yield Slice(data_files(bronze, near), snapshot_id if number == last else None, below)
