"""What is asked of connectors before their topics are relied on: that they and their tasks run, and hold their slot.

Where it stops: nothing is changed; how far a connector is behind is `progress`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lakehouse_assets.contracts.table import Source
from lakehouse_assets.engines.connect import names, progress
from lakehouse_assets.engines.connect.client import ConnectClient, Part
from lakehouse_assets.engines.connect.database import Database, DatabaseError, open_session


class NotRunning(RuntimeError):
    """A connector or a task of it is not there or does not run; the message says why, in Connect's own words."""


def running(connect: ConnectClient, source: Source) -> str:
    """Raises NotRunning, ConnectError."""
    parts = connect.parts(source.name)
    if problems := list(_problems(source.name, parts)):
        raise NotRunning("; ".join(problems))
    return f"{len(parts) - 1} of {len(parts) - 1} tasks"


def place_is_held(source: Source, database: Database) -> str:
    """That the database answers, and of PostgreSQL that the connector reads its slot. Raises DatabaseError."""
    with open_session(source, database) as session:
        if source.connector != "postgresql":
            return f"{database.host}:{database.port}"
        slot, name = progress.slot(session), names.slot(source)
    if slot is None:
        raise DatabaseError(f"there is no replication slot {name}")
    if slot.lost or not slot.active:
        raise DatabaseError(f"replication slot {name} {'has lost its log' if slot.lost else 'is read by nobody'}")
    return f"replication slot {name} is active, {slot.lag_bytes or 0:,} bytes behind"


def _problems(name: str, parts: Sequence[Part]) -> Iterator[str]:
    if not parts:
        yield f"there is no connector {name}"
    elif len(parts) == 1 and parts[0].state == "RUNNING":
        yield f"connector {name} has no task"
    for number, part in enumerate(parts):
        if part.state != "RUNNING":
            which = f"task {number - 1} of " if number else ""
            yield f"{which}connector {name} is {part.state}{f': {part.error}' if part.error else ''}"
