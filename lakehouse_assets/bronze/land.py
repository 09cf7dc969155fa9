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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze import decode
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.iceberg.commit import Conflict, commit, discard, marks, write_files
from lakehouse_assets.engines.iceberg.tables import ensure, load
from lakehouse_assets.engines.log.log import Batch, Bounds, LogError
from lakehouse_assets.engines.platform import Platform

OFFSETS = "lakehouse.offsets"
TOPIC_ID = "lakehouse.topic-id"
CONSUMED, LANDED, DEAD = "lakehouse.consumed", "lakehouse.landed", "lakehouse.dead"
PROPERTY = "lakehouse.landing"
"""The table property that repeats the marks, for the day when every snapshot that holds them has expired."""


@dataclass(frozen=True)
class Landing:
    """What the table says: next offset per partition, the topic's identity and the messages counted so far."""

    offsets: Mapping[int, int]
    topic_id: str | None
    consumed: int
    landed: int
    dead: int


@dataclass(frozen=True)
class Landed:
    """What one run did, in messages."""

    consumed: int = 0
    dead: int = 0
    commits: int = 0


def landing_marks(table: IcebergTable) -> dict[str, str]:
    """Of the newest ancestor that holds offsets; of the property only where those have expired."""
    known = marks(table)
    return known if OFFSETS in known else dict(json.loads(table.properties.get(PROPERTY, "{}")))


def state(table: IcebergTable) -> Landing:
    known = landing_marks(table)
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
    """Everything between the landed offsets and the log's present end. Raises LogError; says progress in messages."""
    catalog = platform.open_catalog()
    known = state(ensure(catalog, spec(table)))
    identity = platform.log.identity(table.topic)
    bounds = platform.log.bounds(table.topic)
    starts = _starts(table.topic, identity, known, bounds)
    ends = {partition: b.end for partition, b in bounds.items()}
    done = Landed()
    if all(starts[partition] >= end for partition, end in ends.items()):
        return done
    conn = connect(platform.memory_limit)
    landed = dict(known.offsets)
    for batch in platform.log.read(table.topic, starts, ends, platform.batch_messages):
        _require_same(table.topic, platform.log.identity(table.topic), identity)
        count = _land_batch(conn, catalog, table, identity, batch, landed)
        if count is None:
            return done
        landed.update(batch.next_offsets)
        done = Landed(done.consumed + batch.messages.num_rows, done.dead + count, done.commits + 1)
        progress(batch.messages.num_rows)
    return done


def _require_same(topic: str, identity: str | None, landed: str | None) -> None:
    if identity != landed:
        raise LogError(
            f"topic {topic} is not the one that was landed (id {identity}, landed {landed}): it was deleted and"
            " made again; land it under a new name, or roll bronze back and land it anew"
        )


def _starts(topic: str, identity: str | None, known: Landing, bounds: Mapping[int, Bounds]) -> dict[int, int]:
    """Where each partition goes on. Raises LogError where going on would skip or repeat messages."""
    if known.topic_id is not None:
        _require_same(topic, identity, known.topic_id)
    for partition, offset in known.offsets.items():
        held = bounds.get(partition)
        if held is None or not held.start <= offset <= max(held.end, held.start):
            there = f"offsets {held.start} to {held.end}" if held else "no such partition"
            raise LogError(
                f"topic {topic} partition {partition}: the next offset to land is {offset}, the log holds {there};"
                " messages were removed before they were landed"
            )
    return {partition: known.offsets.get(partition, b.start) for partition, b in bounds.items()}


def _land_batch(
    conn: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    table: Table,
    identity: str | None,
    batch: Batch,
    landed: Mapping[int, int],
) -> int | None:
    """The batch's dead letters; None where another lander moved the offsets on from `landed` first."""
    handle = catalog.load_table(spec(table).identifier)
    if state(handle).offsets != landed:
        return None
    rows = decode.rows(conn, table, batch.messages, datetime.now(UTC))
    dead = int(rows.num_rows - rows.column("error").null_count)
    files = write_files(handle, rows)
    while True:
        try:
            _commit(handle, files, state(handle), identity, batch, dead)
            return dead
        except Conflict:
            handle = catalog.load_table(spec(table).identifier)
            if state(handle).offsets != landed:
                discard(handle, files)
                return None


def _commit(
    handle: IcebergTable, files: list[DataFile], known: Landing, identity: str | None, batch: Batch, dead: int
) -> None:
    count = batch.messages.num_rows
    summary = {
        OFFSETS: json.dumps({**known.offsets, **batch.next_offsets}),
        TOPIC_ID: identity or "",
        CONSUMED: str(known.consumed + count),
        LANDED: str(known.landed + count - dead),
        DEAD: str(known.dead + dead),
    }
    commit(handle, summary=summary, added=files, properties={PROPERTY: json.dumps(summary)})
