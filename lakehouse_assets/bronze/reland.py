"""Lands again what a bronze table lacks of a window of its log, and leaves what is there.

1. Read the messages of the window from the log, as far as the table's next offsets reach.
2. Write those whose topic, partition and offset no row has, and commit them at once; the next offsets stay.
3. Each carries the commit's number like a dead letter that was replayed: silver folds it at its own place, once,
   whether it had folded it before or not.

Safety: the commit asserts the table that the rows were compared with, so that of two that race one starts over.
Where it stops: what retention dropped is not landed again, and files are landed by their content.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze import decode
from lakehouse_assets.bronze.dead_letters import PLACE, REPLAY_SEQUENCE
from lakehouse_assets.bronze.land import starts, state
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import select
from lakehouse_assets.engines.iceberg.commit import (
    DROPPED_THROUGH,
    commit,
    discard,
    marks,
    next_sequence,
    write_files,
)
from lakehouse_assets.engines.iceberg.rewrite import candidates
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import ensure
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.log.log import MESSAGES, LogError
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import Mendable

_ATTEMPTS = 20
"""The lander commits here too, every few seconds."""


class CannotReland(Mendable):
    """Retention dropped the window from the table; the message says what can be landed."""


@dataclass(frozen=True)
class Relanded:
    """Messages of the window that the log holds, and how many of them the table lacked."""

    in_log: int = 0
    missing: int = 0

    def __add__(self, other: Relanded) -> Relanded:
        return Relanded(self.in_log + other.in_log, self.missing + other.missing)


def reland(platform: Platform, table: Table, start: datetime, end: datetime, dry_run: bool = False) -> Relanded:
    """Lands what is missing of the messages stamped from `start` to before `end`; in a dry run it only counts.

    Raises CannotReland, LogError, and Conflict where other writers kept committing."""
    return settled(lambda: _reland(platform, table, start, end, dry_run), _ATTEMPTS)


def _reland(platform: Platform, table: Table, start: datetime, end: datetime, dry_run: bool) -> Relanded:
    bronze = ensure(platform.open_catalog(), spec(table))
    _require_kept(table, bronze, start)
    done, files = Relanded(), list[DataFile]()
    number = next_sequence(bronze)
    with platform.open_duckdb() as conn:
        try:
            for messages in _window(platform, table, bronze, start, end):
                lacking = _lacking(conn, table, bronze, messages)
                done += Relanded(messages.num_rows, lacking.num_rows)
                if lacking.num_rows and not dry_run:
                    files += write_files(bronze, _numbered(conn, table, lacking, number))
            if files:
                commit(bronze, summary={REPLAY_SEQUENCE: str(number)}, added=files)
        except (Conflict, LogError):
            discard(bronze, files)
            raise
    return done


def _window(
    platform: Platform, table: Table, bronze: IcebergTable, start: datetime, end: datetime
) -> Iterator[pa.Table]:
    """The window's messages below the next offsets, a batch at a time. Raises LogError as `land` does."""
    bounds = platform.log.bounds(table.topic)
    ends = starts(table, platform.log.identity(table.topic), state(bronze), bounds)
    begins = {partition: held.start for partition, held in bounds.items()}
    first, last = (int(moment.timestamp() * 1000) for moment in (start, end))
    for batch in platform.log.read(table.topic, begins, ends, platform.batch_messages):
        stamped = batch.messages["timestamp_ms"]
        yield batch.messages.filter(pc.and_(pc.greater_equal(stamped, first), pc.less(stamped, last)))


def _lacking(conn: duckdb.DuckDBPyConnection, table: Table, bronze: IcebergTable, messages: pa.Table) -> pa.Table:
    """Those of the messages that no row of the table is."""
    topic = pa.repeat(pa.scalar(table.topic), messages.num_rows)
    wanted = pa.table([topic, messages["partition"], messages["offset"]], names=list(PLACE))
    conn.register("in_window", messages)
    held = select(bronze, candidates(bronze, wanted))
    conn.register("held", conn.sql(f'select topic, partition, "offset" from ({held})').to_arrow_table())
    conn.register("wanted", wanted)
    found = conn.sql("""
        select m.* from in_window m
        semi join (from wanted anti join held using (topic, partition, "offset")) using (partition, "offset")
        order by partition, "offset" """)
    return found.to_arrow_table().cast(MESSAGES)


def _numbered(conn: duckdb.DuckDBPyConnection, table: Table, messages: pa.Table, number: int) -> pa.Table:
    """Bronze rows; those that are valid carry the number."""
    rows = decode.rows(conn, table, messages, datetime.now(UTC))
    numbers = pc.if_else(pc.is_null(rows["error"]), pa.scalar(number, pa.int64()), pa.scalar(None, pa.int64()))
    return rows.set_column(rows.schema.get_field_index("replay_sequence"), "replay_sequence", numbers)


def _require_kept(table: Table, bronze: IcebergTable, start: datetime) -> None:
    """A message is landed on its own day or later: of later days than those that were dropped, none was."""
    dropped = marks(bronze).get(DROPPED_THROUGH)
    if dropped is not None and start.astimezone(UTC).date().isoformat() <= dropped:
        oldest = datetime.fromisoformat(dropped).date() + timedelta(days=1)
        raise CannotReland(
            f"bronze.{table.id}: retention dropped the days up to {dropped}, which are not landed again; begin the"
            f" window at {oldest} or later"
        )
