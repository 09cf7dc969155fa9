"""How far a connector is behind its database, and what holds its place there: reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakehouse_assets.engines.connect import names
from lakehouse_assets.engines.connect.database import Session


@dataclass(frozen=True)
class Slot:
    """A replication slot of PostgreSQL. `lost` says that the log it needs was removed; `is_own` that it is of this
    source's database and of the plugin that the connector uses."""

    active: bool
    lost: bool
    is_own: bool
    lag_bytes: int | None


def slot(session: Session) -> Slot | None:
    found = session.ask(
        """select active, coalesce(wal_status = 'lost', false),
             database = current_database() and plugin = 'pgoutput',
             pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint
           from pg_replication_slots where slot_name = %s""",
        (names.slot(session.source),),
    )
    return Slot(*found[0]) if found else None


def has_publication(session: Session) -> bool:
    found = session.ask("select from pg_publication where pubname = %s", (names.slot(session.source),))
    return bool(found)


def binlog_lag(session: Session, offsets: Sequence[Mapping[str, Any]]) -> int | None:
    """The bytes of binlog beyond the stored offset; None where none is stored, or its file is gone."""
    place = next((each["offset"] for each in offsets if each.get("offset")), None)
    if place is None:
        return None
    logs = [(str(row[0]), int(row[1])) for row in session.ask("show binary logs")]
    names_of_logs = [name for name, _ in logs]
    if place.get("file") not in names_of_logs:
        return None
    following = logs[names_of_logs.index(place["file"]) :]
    return max(0, sum(size for _, size in following) - int(place["pos"]))
