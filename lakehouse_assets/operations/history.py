"""A table's snapshots, and the way back to one of them.

Offsets and watermarks are marks of the snapshots, so that they go back with the rows: bronze lands again what was
rolled away, silver folds again what it had folded since. Offsets, not snapshots, tell what was consumed, so that
whatever lies below a table that was rolled back equals its source again after the next increment.

Safety: what was stays under a tag, for as long as the table keeps snapshots. A table is not rolled back to where its
input no longer reaches.
Where it stops: nothing below the table is touched; it is named as stale, and the next increment takes it up.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from lakehouse_assets.asset_facts import asset_key
from lakehouse_assets.bronze import land
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Table as Contract
from lakehouse_assets.engines.iceberg.roll_back import marks_at, roll_back
from lakehouse_assets.engines.iceberg.scan import ancestors
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.iceberg.time_travel import UnknownSnapshot, made_at
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput, Mendable
from lakehouse_assets.operations.expiry import keep_ms
from lakehouse_assets.operations.refold import missing
from lakehouse_assets.silver import schema

SHOWN = 5


class UnknownTable(BadInput):
    """No such table; the message names those that there are."""


class CannotRollBack(Mendable):
    """What would have to be landed or folded again is no longer there."""


@dataclass(frozen=True)
class Version:
    """One snapshot of `main`; `rows` as Iceberg counts them."""

    snapshot_id: int
    number: int
    at: datetime
    operation: str
    rows: int


@dataclass(frozen=True)
class RolledBack:
    """`tag` names what was; `snapshot_id` is the new present, with the rows of `to`."""

    table: str
    to: int
    tag: str
    snapshot_id: int
    rows_before: int
    rows_after: int


def open_table(catalog: Catalog, identifier: str) -> IcebergTable:
    """Raises UnknownTable."""
    found = load(catalog, identifier) if identifier.count(".") == 1 else None
    if found is None:
        known = sorted(".".join(name) for space in catalog.list_namespaces() for name in catalog.list_tables(space))
        raise UnknownTable(f"there is no table {identifier!r}; there are {', '.join(known) or 'none yet'}")
    return found


def history(table: IcebergTable) -> list[Version]:
    """The snapshots of `main` that have not expired, newest first."""
    return [version(snapshot) for snapshot in ancestors(table)]


def rollback(platform: Platform, identifier: str, to: int, now: datetime | None = None) -> RolledBack:
    """Makes the snapshot `to` the present one.

    Raises UnknownTable, UnknownSnapshot, CannotRollBack, and Conflict where another writer committed meanwhile.
    """
    table = open_table(platform.open_catalog(), identifier)
    target = check(platform, table, to)
    tag = f"before-rollback-{(now or datetime.now(UTC)):%Y%m%dT%H%M%S%f}"
    before = next(ancestors(table))
    made = roll_back(table, target, tag, keep_ms(table))
    return RolledBack(identifier, to, tag, made.snapshot_id, version(before).rows, version(target).rows)


def check(platform: Platform, table: IcebergTable, to: int) -> Snapshot:
    """The snapshot, where the table can be rolled back to it. Raises UnknownSnapshot, CannotRollBack."""
    line = list(ancestors(table))
    target = next((s for s in line[1:] if s.snapshot_id == to), None)
    name = ".".join(table.name())
    if target is None:
        found = ", ".join(f"{s.snapshot_id} ({made_at(s):%Y-%m-%d %H:%M:%S})" for s in line[1 : SHOWN + 1])
        what = "is the present snapshot" if line and line[0].snapshot_id == to else "is not in its history"
        raise UnknownSnapshot(f"{name}: {to} {what}; before the present one there are {found or 'none'}")
    for contract in tables():
        if name == f"bronze.{contract.id}":
            _check_source(platform, contract, table, marks_at(table, target))
        if name == schema.folded_name(contract):
            _check_bronze(platform, contract, table, line, target)
    return target


def below(definitions: dg.Definitions, identifier: str) -> list[dg.AssetKey]:
    """The assets that are made from the table, in the order of their names; of a table that is no asset, none."""
    graph = definitions.resolve_asset_graph()
    if not graph.has(asset_key(identifier)):
        return []
    found = dg.AssetSelection.assets(asset_key(identifier)).downstream(include_self=False).resolve(graph)
    return sorted(found & graph.materializable_asset_keys)


def tell_stale(instance: dg.DagsterInstance, keys: Collection[dg.AssetKey], done: RolledBack) -> None:
    """Says on each asset that what it holds was made from rows that were rolled back."""
    why = f"{done.table} was rolled back to snapshot {done.to}; the next increment takes it up"
    for key in keys:
        instance.report_runless_asset_event(dg.AssetObservation(key, metadata={"stale": why, "tag": done.tag}))


def _check_source(platform: Platform, contract: Contract, table: IcebergTable, known: dict[str, str]) -> None:
    if contract.source.kind == "files":
        raise CannotRollBack(
            f"bronze.{contract.id}: files are landed once by their content and are not landed again; to take a file"
            " back, roll back the silver table and deliver the corrected file"
        )
    topic = contract.topic
    identity, landed = platform.log.identity(topic), known.get(land.TOPIC_ID) or None
    if landed is not None and identity != landed:
        raise CannotRollBack(f"topic {topic} is not the one that was landed then: it was deleted and made again")
    offsets = {int(p): int(o) for p, o in json.loads(known.get(land.OFFSETS, "{}")).items()}
    for partition, held in sorted(platform.log.bounds(topic).items()):
        wanted = offsets.get(partition, 0)
        if wanted < held.start and partition in land.state(table).offsets:
            raise CannotRollBack(
                f"topic {topic} partition {partition}: bronze.{contract.id} would go back to offset {wanted}, the log"
                f" begins at {held.start}; choose a later snapshot"
            )


def _check_bronze(
    platform: Platform, contract: Contract, table: IcebergTable, line: list[Snapshot], target: Snapshot
) -> None:
    gone = missing(platform, contract, table, target)
    if gone:
        name = ".".join(table.name())
        reach = [s for s in line[1 : line.index(target)] if not missing(platform, contract, table, s)]
        instead = f"the oldest snapshot that can be gone back to is {reach[-1].snapshot_id}" if reach else "none can be"
        raise CannotRollBack(
            f"{name}: {gone} rows of bronze.{contract.id} that were folded since snapshot {target.snapshot_id} are past"
            f" its retention and could not be folded again; {instead}"
        )


def version(snapshot: Snapshot) -> Version:
    """What the snapshot says of itself."""
    found = snapshot.summary.additional_properties if snapshot.summary is not None else {}
    operation = snapshot.summary.operation.value if snapshot.summary is not None else "unknown"
    rows = int(found.get("total-records", 0))
    return Version(snapshot.snapshot_id, snapshot.sequence_number or 0, made_at(snapshot), operation, rows)
