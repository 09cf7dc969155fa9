"""What a table was at a point: a snapshot's number, a time or a tag; and the tags themselves.

A time means what `main` held then, also where that was rolled back since. Where a snapshot of about then has expired,
nothing is guessed.
Where it stops: rows are read by whoever asks; making a snapshot the present one is `roll_back`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update.snapshot import ManageSnapshots

from lakehouse_assets.engines.iceberg.scan import ancestors
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.mendable import BadInput

Point = int | datetime | str
"""A snapshot's id, a moment with its zone, or a tag."""

_SHOWN = 5
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")


class UnknownSnapshot(BadInput):
    """Not a snapshot of the table's history; the message names the newest that are."""


class InvalidTag(BadInput):
    """A name that no tag can have, that another snapshot has, or that none has; the message says which."""


def snapshot_at(table: Table, point: Point) -> Snapshot:
    """The snapshot that the point means. Raises UnknownSnapshot."""
    match point:
        case int():
            found = table.snapshot_by_id(point)
        case datetime():
            found = _held_at(table, point)
        case str():
            ref = table.metadata.refs.get(point)
            found = table.snapshot_by_id(ref.snapshot_id) if ref is not None else None
    if found is None:
        raise UnknownSnapshot(f"{_name(table)}: there is no snapshot {point!r}; {there_are(table)}")
    return found


def schema_at(table: Table, snapshot: Snapshot) -> Schema:
    """The schema that the snapshot was written with."""
    return table.schemas()[snapshot.schema_id] if snapshot.schema_id is not None else table.schema()


def made_at(snapshot: Snapshot) -> datetime:
    return datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)


def there_are(table: Table) -> str:
    """The newest snapshots and the tags, in the words of an error."""
    newest = [f"{s.snapshot_id} ({made_at(s):%Y-%m-%d %H:%M:%S})" for s in list(ancestors(table))[:_SHOWN]]
    names = ", ".join(sorted(tags(table)))
    return f"the newest are {', '.join(newest) or 'none'}" + (f"; tags are {names}" if names else "")


def tags(table: Table) -> dict[str, Snapshot]:
    """The snapshot of each tag."""
    return {
        name: snapshot
        for name, ref in table.metadata.refs.items()
        if ref.snapshot_ref_type == SnapshotRefType.TAG
        and (snapshot := table.snapshot_by_id(ref.snapshot_id)) is not None
    }


def tag(table: Table, name: str, snapshot: Snapshot, dry_run: bool = False) -> None:
    """Names the snapshot, which then does not expire; nothing where it has the name already, or in a dry run.

    Raises InvalidTag, and Conflict where others kept committing."""
    if not _TAG.fullmatch(name) or name == MAIN_BRANCH:
        raise InvalidTag(f"{name!r} cannot be a tag: a letter, then letters, digits, '.', '_' and '-', but not 'main'")
    held = tags(table).get(name)
    if held is not None and held.snapshot_id != snapshot.snapshot_id:
        raise InvalidTag(f"{_name(table)}: tag {name!r} is of snapshot {held.snapshot_id}; remove it first")
    if held is None and not dry_run:
        _manage(table, lambda refs: refs.create_tag(snapshot.snapshot_id, name))


def tagged(table: Table, name: str) -> Snapshot:
    """The snapshot of a tag. Raises InvalidTag."""
    held = tags(table)
    if name not in held:
        raise InvalidTag(f"{_name(table)}: there is no tag {name!r}; there are {', '.join(sorted(held)) or 'none'}")
    return held[name]


def untag(table: Table, name: str) -> None:
    """Takes the name away: the snapshot may then expire. Raises InvalidTag, Conflict."""
    tagged(table, name)
    _manage(table, lambda refs: refs.remove_tag(name))


def _manage(table: Table, change: Callable[[ManageSnapshots], ManageSnapshots]) -> None:
    def step() -> None:
        try:
            change(table.refresh().manage_snapshots()).commit()
        except CommitFailedException as error:
            raise Conflict(f"{_name(table)} was changed by another writer; run it again") from error

    settled(step)


def _held_at(table: Table, moment: datetime) -> Snapshot:
    log = [(entry.timestamp_ms, s) for entry in table.history() if (s := table.snapshot_by_id(entry.snapshot_id))]
    until = [n for n, (at, _) in enumerate(log) if at <= moment.timestamp() * 1000]
    when = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if moment > datetime.now(UTC):
        raise UnknownSnapshot(f"{_name(table)}: {when} lies ahead; {there_are(table)}")
    if not until:
        raise UnknownSnapshot(f"{_name(table)}: nothing is known of {when}; {there_are(table)}")
    found = log[until[-1]][1]
    following = log[until[-1] + 1][1] if until[-1] + 1 < len(log) else None
    # Numbers are given one by one: where some are missing before the next one, their snapshots have expired.
    if following is not None and (following.sequence_number or 0) > (found.sequence_number or 0) + 1:
        raise UnknownSnapshot(f"{_name(table)}: what it held at {when} has expired; {there_are(table)}")
    return found


def _name(table: Table) -> str:
    return ".".join(table.name())
