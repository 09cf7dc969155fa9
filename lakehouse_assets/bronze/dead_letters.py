"""The dead letters of a bronze table: messages that were landed although they are not valid, with reason and bytes.

Replaying decodes the bytes again, with the code and the contract of today. A message that is valid now replaces its
dead letter at its own topic, partition and offset in one commit, and carries that commit's number: silver folds what
carries a number beyond its watermark. Next offsets and landing time stay as they are.
Discarding marks a dead letter as decided; the row and its bytes stay. Where it stops: what was asked and how many rows
it was is recorded by `operations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import NotNull
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze import decode
from lakehouse_assets.bronze.land import DEAD, LANDED, state
from lakehouse_assets.bronze.schema import COLUMNS, spec
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import select
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import commit, discard, marks, next_sequence
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import ensure
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.log.log import MESSAGES
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import Mendable

REPLAY_SEQUENCE = "lakehouse.replay-sequence"
"""Mark of a bronze table: number of the last commit that replayed dead letters."""

DISCARDED = "lakehouse.discarded"
"""Mark of a bronze table: how many of its dead letters were discarded."""

PLACE = ("topic", "partition", "offset")
_LANDED_WITH = ("source_system", "source_file")
_DECODED = ("data", "before", "op", "ts_ms", "error", *(n for n in COLUMNS.names if n.startswith("source_")))
_ATTEMPTS = 20
"""The lander commits here too, every few seconds."""


class CannotReplay(Mendable):
    """Rows that nothing can fold again; the message names them and says what to do."""


@dataclass(frozen=True)
class Replayed:
    """`taken` rows are valid now, `left` stay with today's reason."""

    taken: int = 0
    left: int = 0

    def __add__(self, other: Replayed) -> Replayed:
        return Replayed(self.taken + other.taken, self.left + other.left)


def last_replay(bronze: IcebergTable) -> int:
    """The number of the last commit that replayed dead letters; 0 before the first."""
    return int(marks(bronze).get(REPLAY_SEQUENCE, 0))


def open_count(bronze: IcebergTable) -> int:
    """Dead letters that were neither replayed nor discarded."""
    known = marks(bronze)
    return int(known.get(DEAD, 0)) - int(known.get(DISCARDED, 0))


def found_sql(bronze: IcebergTable) -> str:
    """SELECT of every dead letter: its place, `rule`, `reason`, `noted_at`, `discarded_at` and `content`, its bytes."""
    return f"""
        select topic, partition, "offset",
          regexp_replace(error, '^line [0-9]+: ', '') as rule, error as reason,
          ingestion_timestamp as noted_at, discarded_at, raw as content
        from ({select(bronze, data_files(bronze, NotNull("error")))}) where error is not null"""


def replay(platform: Platform, table: Table, chosen: pa.Table) -> Replayed:
    """Decodes the dead letters at the places `chosen` (topic, partition, offset) again; those that were discarded or
    replayed meanwhile are left alone. Raises CannotReplay, and Conflict where other writers kept committing."""
    if table.source.kind == "files":
        raise CannotReplay(
            f"{table.id}: a record of a CSV file cannot be decoded again, because what it lacks is in no other place;"
            " deliver the mended row in a new file, and discard this dead letter"
        )
    return settled(lambda: _replay(platform, table, chosen), _ATTEMPTS)


def set_aside(platform: Platform, table: Table, chosen: pa.Table) -> int:
    """Marks the dead letters at the places `chosen` as discarded; how many were open until now. Raises Conflict."""
    return settled(lambda: _set_aside(platform, table, chosen), _ATTEMPTS)


def _replay(platform: Platform, table: Table, chosen: pa.Table) -> Replayed:
    with platform.open_duckdb() as conn:
        bronze = ensure(platform.open_catalog(), spec(table))
        dead = _open(conn, bronze, chosen)
        again = _decoded(conn, table, dead, next_sequence(bronze))
        changed = again.filter(pc.or_kleene(pc.is_null(again["error"]), pc.not_equal(again["error"], dead["error"])))
        taken = changed["error"].null_count
        if changed.num_rows:
            known = state(bronze)
            counts = {LANDED: str(known.landed + taken), DEAD: str(known.dead - taken)}
            _swap(conn, bronze, changed, {**counts, **({REPLAY_SEQUENCE: str(next_sequence(bronze))} if taken else {})})
        return Replayed(taken, dead.num_rows - taken)


def _set_aside(platform: Platform, table: Table, chosen: pa.Table) -> int:
    with platform.open_duckdb() as conn:
        bronze = ensure(platform.open_catalog(), spec(table))
        dead = _open(conn, bronze, chosen)
        now = pa.scalar(datetime.now(UTC), COLUMNS.field("discarded_at").type)
        decided = dead.set_column(
            dead.schema.get_field_index("discarded_at"), "discarded_at", pa.repeat(now, dead.num_rows)
        )
        if dead.num_rows:
            _swap(conn, bronze, decided, {DISCARDED: str(int(marks(bronze).get(DISCARDED, 0)) + dead.num_rows)})
        return int(dead.num_rows)


def _open(conn: duckdb.DuckDBPyConnection, bronze: IcebergTable, chosen: pa.Table) -> pa.Table:
    """The bronze rows at the places that are dead letters nobody decided on, by partition and offset."""
    held = rewrite.match(conn, bronze, chosen.select(PLACE)).rows
    waits = pc.and_(pc.is_valid(held["error"]), pc.is_null(held["discarded_at"]))
    return held.filter(waits).sort_by([(name, "ascending") for name in ("partition", "offset")])


def _decoded(conn: duckdb.DuckDBPyConnection, table: Table, dead: pa.Table, number: int) -> pa.Table:
    """The rows with what today's decoder makes of their bytes; all else as it was landed."""
    count = dead.num_rows
    columns = {
        "partition": pa.repeat(pa.scalar(0, pa.int32()), count),
        "offset": pa.array(range(count), pa.int64()),  # decoding sorts by it, and rows of two topics may share one
        "timestamp_ms": pa.nulls(count, pa.int64()),
        "key": dead["key"].cast(pa.binary()),
        "value": dead["raw"].cast(pa.binary()),
        "headers": pa.nulls(count, MESSAGES.field("headers").type),
    }
    found = decode.rows(conn, table, pa.table(columns, schema=MESSAGES), datetime.now(UTC))
    numbers = pc.if_else(pc.is_null(found["error"]), pa.scalar(number, pa.int64()), pa.scalar(None, pa.int64()))
    told = {"replay_sequence": numbers, **{n: found[n] for n in _DECODED if n not in _LANDED_WITH}}
    return pa.table([told.get(name, dead[name]) for name in dead.schema.names], names=dead.schema.names)


def _swap(conn: duckdb.DuckDBPyConnection, bronze: IcebergTable, rows: pa.Table, summary: dict[str, str]) -> None:
    """Puts the rows in place of those at the same places. Raises Conflict."""
    found = rewrite.match(conn, bronze, rows.select(PLACE))
    added = rewrite.replace(conn, bronze, found, rows)
    try:
        commit(bronze, summary=summary, added=added, removed=found.files)
    except Conflict:
        discard(bronze, added)
        raise
