"""Connectors as the contracts say: made, shown, deleted, and asked for a snapshot of one table.

Safety: applying changes only what differs. Deleting stops the connector first, and drops a replication slot only where
it is this source's own and nobody reads it; topics and what was landed stay.
Where it stops: a log that began anew is `operations/epochs.py`'s.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from lakehouse_assets.contracts.registry import sources, tables
from lakehouse_assets.contracts.table import Source, Table
from lakehouse_assets.engines.connect import names, progress
from lakehouse_assets.engines.connect.client import ConnectClient, ConnectError
from lakehouse_assets.engines.connect.configuration import configuration
from lakehouse_assets.engines.connect.database import Database, DatabaseError, Session, open_session
from lakehouse_assets.engines.connect.preparation import preparation
from lakehouse_assets.mendable import BadInput, Mendable

_PATIENCE = 60.0


class UnknownConnector(BadInput):
    """A source without a connector or address, or a table that is not its; the message names what there is."""


class SlotInUse(Mendable):
    """The slot is somebody else's, or is being read; the message says of whom."""


@dataclass(frozen=True)
class Connectors:
    """Where they run, the databases by source, and how Kafka is reached (librdkafka's settings)."""

    connect: ConnectClient
    databases: Mapping[str, Database]
    kafka: Mapping[str, str] = field(repr=False)

    def database(self, source: Source) -> Database:
        if source.name not in self.databases:
            raise UnknownConnector(f"LAKEHOUSE_DATABASES has no address of {source.name}")
        return self.databases[source.name]


@dataclass(frozen=True)
class Difference:
    """What is to be done for a source: `what` in words; never a password."""

    source: str
    what: str


@dataclass(frozen=True)
class Status:
    """`state` is `RUNNING` only where the connector and all its tasks run; `lag_bytes` of the source's own log."""

    source: str
    state: str
    tasks: str
    lag_bytes: int | None
    problem: str | None


def captured(name: str | None = None) -> list[Source]:
    """The sources with a connector, or the one of that name. Raises UnknownConnector."""
    found = [source for source in sources() if source.kind == "cdc"]
    if name is None:
        return found
    if chosen := [source for source in found if source.name == name]:
        return chosen
    raise UnknownConnector(f"no source {name!r} has a connector; there are {', '.join(s.name for s in found)}")


def apply(connectors: Connectors, source: Source, dry_run: bool = False) -> list[Difference]:
    """Makes database and connector as the contract says, and tells what differed; nothing where nothing did.

    Raises UnknownConnector, DatabaseError, ConnectError, ValueError for a contract that no connector can serve.
    """
    database, its_tables = connectors.database(source), _tables(source)
    wanted = configuration(source, its_tables, database, connectors.kafka)
    with open_session(source, database) as session:
        missing = session.missing(preparation(source, its_tables, database))
        for step in missing if not dry_run else []:
            session.tell(step.statement)
    done = [step.what for step in missing]
    told = connectors.connect.configuration(source.name)
    if told != wanted:
        done.append(f"connector {source.name}: {_changed(told, wanted)}")
        if not dry_run:
            connectors.connect.put(source.name, wanted)
    return [Difference(source.name, what) for what in done]


def status(connectors: Connectors, source: Source) -> Status:
    """Raises UnknownConnector, ConnectError. A database that does not answer is a problem, and no lag is known."""
    parts = connectors.connect.parts(source.name)
    tasks = parts[1:]
    running = sum(part.state == "RUNNING" for part in tasks)
    lag, problem = _lag(connectors, source)
    failed = next((part.error or "failed" for part in parts if part.state == "FAILED"), None)
    return Status(
        source.name,
        "ABSENT"
        if not parts
        else next((p.state for p in parts if p.state != "RUNNING"), "RUNNING" if tasks else "UNASSIGNED"),
        f"{running}/{len(tasks)}",
        lag,
        failed or problem,
    )


def removals(connectors: Connectors, source: Source) -> list[Difference]:
    """What `delete` would remove; nothing is changed.

    Raises SlotInUse, UnknownConnector, DatabaseError, ConnectError.
    """
    exists = bool(connectors.connect.parts(source.name))
    found = [f"connector {source.name} and its offsets"] if exists else []
    if source.connector == "postgresql":
        with open_session(source, connectors.database(source)) as session:
            held = progress.slot(session)
            if held is not None:
                _require_own(source, held, may_be_read=exists)
                found.append(f"replication slot {names.slot(source)}")
            if progress.has_publication(session):
                found.append(f"publication {names.slot(source)}")
    return [Difference(source.name, what) for what in found]


def delete(connectors: Connectors, source: Source) -> list[Difference]:
    """Removes what `removals` tells. Raises what it raises; may be called again where it was cut short."""
    planned = removals(connectors, source)
    if connectors.connect.parts(source.name):
        connectors.connect.stop(source.name)
        connectors.connect.delete(source.name)
    if source.connector == "postgresql":
        with open_session(source, connectors.database(source)) as session:
            _drop_slot(session)
            session.tell(f"drop publication if exists {names.slot(source)}")
    return planned


def snapshot(connectors: Connectors, source: Source, name: str) -> None:
    """Asks the running connector to read the table `name` beside its log. Raises UnknownConnector, DatabaseError."""
    table = next((table for table in _tables(source) if table.name == name), None)
    if table is None:
        known = ", ".join(table.name for table in _tables(source))
        raise UnknownConnector(f"source {source.name} has no table {name!r}; there are {known}")
    asked = json.dumps({"data-collections": [names.in_database(table)], "type": "INCREMENTAL"})
    with open_session(source, connectors.database(source)) as session:
        values = (str(uuid.uuid4()), "execute-snapshot", asked)
        session.tell(f"insert into {names.signals(source)} (id, type, data) values (%s, %s, %s)", values)


def _tables(source: Source) -> list[Table]:
    return [table for table in tables() if table.source == source]


def _changed(told: Mapping[str, str] | None, wanted: Mapping[str, str]) -> str:
    if told is None:
        return "new"
    return ", ".join(sorted(name for name in told.keys() | wanted.keys() if told.get(name) != wanted.get(name)))


def _lag(connectors: Connectors, source: Source) -> tuple[int | None, str | None]:
    try:
        with open_session(source, connectors.database(source)) as session:
            if source.connector != "postgresql":
                return progress.binlog_lag(session, connectors.connect.offsets(source.name)), None
            held = progress.slot(session)
    except (DatabaseError, ConnectError) as error:
        return None, str(error)
    if held is not None and held.lost:
        return (
            None,
            f"slot {names.slot(source)} lost its log: delete the connector and apply it again, it reads all anew",
        )
    return (held.lag_bytes if held is not None else None), None


def _require_own(source: Source, held: progress.Slot, may_be_read: bool) -> None:
    if not held.is_own:
        raise SlotInUse(f"slot {names.slot(source)} is of another database or plugin: it is left as it is")
    if held.active and not may_be_read:
        raise SlotInUse(
            f"slot {names.slot(source)} is read by something else than connector {source.name}: stop that first"
        )


def _drop_slot(session: Session) -> None:
    """A stopped connector's connection may live on for a moment."""
    waiting = Retrying(
        stop=stop_after_delay(_PATIENCE),
        wait=wait_fixed(0.2),
        retry=retry_if_result(lambda held: held is not None and held.active),
    )
    try:
        held = waiting(progress.slot, session)
    except RetryError:
        raise SlotInUse(
            f"slot {names.slot(session.source)} is still read: stop what reads it and delete again"
        ) from None
    if held is not None:
        _require_own(session.source, held, may_be_read=False)
        session.ask("select pg_drop_replication_slot(%s)", (names.slot(session.source),))
