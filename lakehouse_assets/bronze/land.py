"""Lands a topic in its bronze table, each message exactly once.

1. Read the next offsets and the topic's identity from the table's own metadata, the same that the commit asserts.
2. Read a bounded batch from the log and write its rows as files that no snapshot names yet.
3. Commit files and next offsets as one snapshot. On a conflict read the table again: where the offsets are unchanged
   the same files are committed again, where they moved another lander was faster and the files are dropped.

Safety: rows and offsets are one commit, so that a crash at any point loses or doubles nothing.
Where it stops: one process is enough for correctness; how often it runs is `operations`'.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze import decode
from lakehouse_assets.bronze.flood import First, refuse_flood
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import commit, discard, marks, write_files
from lakehouse_assets.engines.iceberg.tables import ensure, load
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.log.log import MESSAGES, Batch, Bounds, LogError
from lakehouse_assets.engines.platform import Platform

OFFSETS = "lakehouse.offsets"
TOPIC_ID = "lakehouse.topic-id"
CONSUMED, LANDED, DEAD = "lakehouse.consumed", "lakehouse.landed", "lakehouse.dead"


@dataclass(frozen=True)
class Landing:
    """What the table says: next offset per partition, the topic's identity and the messages counted so far."""

    offsets: Mapping[int, int] = field(default_factory=dict)
    topic_id: str | None = None
    consumed: int = 0
    landed: int = 0
    dead: int = 0


@dataclass(frozen=True)
class Landed:
    """What one run did, in messages; `oldest` is when the first of them was committed at its source, else sent."""

    consumed: int = 0
    dead: int = 0
    commits: int = 0
    oldest: datetime | None = field(default=None, compare=False)

    def __add__(self, other: Landed) -> Landed:
        moments = [m for m in (self.oldest, other.oldest) if m is not None]
        return Landed(
            self.consumed + other.consumed,
            self.dead + other.dead,
            self.commits + other.commits,
            min(moments, default=None),
        )


def state(table: IcebergTable) -> Landing:
    known = marks(table)
    offsets = {int(p): int(o) for p, o in json.loads(known.get(OFFSETS, "{}")).items()}
    counts = (int(known.get(key, 0)) for key in (CONSUMED, LANDED, DEAD))
    return Landing(offsets, known.get(TOPIC_ID) or None, *counts)


def has_news(platform: Platform, table: Table) -> bool:
    """Whether the log's end lies beyond the landed offsets, or anything about the topic needs a look."""
    handle = load(platform.open_catalog(), spec(table).identifier)
    if handle is None:
        return True
    known = state(handle)
    if known.topic_id is not None and platform.log.identity(table.topic) != known.topic_id:
        return True
    ends = {partition: bounds.end for partition, bounds in platform.log.bounds(table.topic).items()}
    return any(known.offsets.get(p) != end for p, end in ends.items()) or bool(known.offsets.keys() - ends.keys())


def land(platform: Platform, table: Table, progress: Callable[[int], None] = lambda _: None) -> Landed:
    """Everything between the landed offsets and the log's present end; says progress in messages.

    Raises LogError, which names table, topic, partition and offset; what was committed before it stays landed.
    """
    catalog = platform.open_catalog()
    known = state(ensure(catalog, spec(table)))
    try:
        return _land(platform, catalog, table, known, progress)
    except LogError as error:
        raise LogError(f"{spec(table).identifier}: {error}") from error


def _land(
    platform: Platform, catalog: Catalog, table: Table, known: Landing, progress: Callable[[int], None]
) -> Landed:
    identity = platform.log.identity(table.topic)
    bounds = platform.log.bounds(table.topic) if identity is not None else {}
    begins = starts(table, identity, known, bounds)
    ends = {partition: held.end for partition, held in bounds.items()}
    done = Landed()
    if known.offsets == ends:
        return done
    # The start of a partition without a message must be known too: its first ones may have expired by the next run.
    empty = Batch(MESSAGES.empty_table(), ends)
    unread = platform.log.read(table.topic, begins, ends, platform.batch_messages) if begins != ends else [empty]
    landed = dict(known.offsets)
    conn = platform.open_duckdb()
    for batch in unread:
        _require_same(table.topic, platform.log.identity(table.topic), identity)
        reached = {**begins, **landed, **batch.next_offsets}
        made = _land_batch(conn, platform, table, identity, Batch(batch.messages, reached), landed)
        if made is None:
            return done
        landed = reached
        done += made
        progress(batch.messages.num_rows)
    return done


def _require_same(topic: str, identity: str | None, landed: str | None) -> None:
    if identity != landed:
        raise LogError(
            f"topic {topic} is not the one that was landed (id {identity}, landed {landed}): it was deleted and"
            " made again; bring the old one back, or declare the new one as a table of its own"
        )


def starts(table: Table, identity: str | None, known: Landing, bounds: Mapping[int, Bounds]) -> dict[int, int]:
    """Where each partition goes on. Raises LogError where going on would skip or repeat messages."""
    if known.topic_id is not None:
        _require_same(table.topic, identity, known.topic_id)
    found = next_offsets(known, bounds)
    for partition, offset in found.items():
        held = bounds.get(partition)
        if held is None or not held.start <= offset <= held.end:
            where = f"topic {table.topic} partition {partition}: the next offset to land is {offset}"
            raise LogError(f"{where}, {_there(table, offset, held)}")
    return found


def next_offsets(known: Landing, bounds: Mapping[int, Bounds]) -> dict[int, int]:
    """What the table says of each partition, whether or not the log still holds it.

    The first landing begins where the log does; a partition that is added to a landed topic begins at offset 0.
    """
    return {**{p: 0 if known.offsets else held.start for p, held in bounds.items()}, **known.offsets}


def _there(table: Table, offset: int, held: Bounds | None) -> str:
    """What the log holds instead, what happened to it and what to do."""
    if held is None:
        return "the log holds no such partition; bring the partition back"
    there = f"the log holds offsets {held.start} to {held.end}"
    if offset < held.start:
        return (
            f"{there}: messages were removed before they were landed; bring them back, or give them up with"
            f" `lakehouse skip-expired {table.id}`"
        )
    return f"{there}: it lost messages that were landed; bring them back, or roll the table back to what the log holds"


def _land_batch(
    conn: duckdb.DuckDBPyConnection,
    platform: Platform,
    table: Table,
    identity: str | None,
    batch: Batch,
    landed: Mapping[int, int],
) -> Landed | None:
    """What was landed of the batch; None where another lander moved the offsets on from `landed` first.

    Here `batch.next_offsets` are those of every partition.
    """
    catalog = platform.open_catalog()
    handle = catalog.load_table(spec(table).identifier)
    if state(handle).offsets != landed:
        return None
    rows = decode.rows(conn, table, batch.messages, datetime.now(UTC))
    dead = int(rows.num_rows - rows.column("error").null_count)
    refuse_flood(platform, table, "dead letters", dead, rows.num_rows, lambda: _first_dead(rows))
    files = write_files(handle, rows)
    while True:
        try:
            commit_batch(handle, files, state(handle), identity, batch, dead)
            return Landed(rows.num_rows, dead, 1, _oldest(rows))
        except Conflict:
            handle = catalog.load_table(spec(table).identifier)
            if state(handle).offsets != landed:
                discard(handle, files)
                return None


def _oldest(rows: pa.Table) -> datetime | None:
    """What does not say when it was made counts from when it was sent; a clock that runs ahead tells nothing."""
    sent = pc.cast(rows["kafka_timestamp"], pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
    told = pc.coalesce(rows["source_ts_ms"], sent)
    oldest = pc.min(told.filter(pc.and_(pc.greater(told, 0), pc.less(told, int(time.time() * 1000))))).as_py()
    return None if oldest is None else datetime.fromtimestamp(oldest / 1000, UTC)


def _first_dead(rows: pa.Table) -> First:
    one = rows.filter(pc.is_valid(rows["error"])).slice(0, 1).to_pylist()[0]
    return First(one["topic"], one["partition"], one["offset"], one["error"])


def commit_batch(
    handle: IcebergTable,
    files: list[DataFile],
    known: Landing,
    identity: str | None,
    batch: Batch,
    dead: int,
    more: Mapping[str, str] | None = None,
) -> None:
    """Files, offsets and counts as one commit; `more` are other marks of it. Raises Conflict."""
    count = batch.messages.num_rows
    summary = {
        OFFSETS: json.dumps(batch.next_offsets),
        TOPIC_ID: identity or "",
        CONSUMED: str(known.consumed + count),
        LANDED: str(known.landed + count - dead),
        DEAD: str(known.dead + dead),
        **(more or {}),
    }
    commit(handle, summary=summary, added=files)
