"""What an engine does to a table that knows nothing of marks: it commits without them, expires and rolls back."""

from __future__ import annotations

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of


def commit_from_outside(table: Table) -> int:
    """An append of no row; the id of its snapshot."""
    table.append(table.schema().as_arrow().empty_table())
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return snapshot.snapshot_id


def maintain_from_outside(catalog: Catalog, identifier: str) -> None:
    """Leaves the table's rows as they are, and none of the snapshots that it has."""
    table = catalog.load_table(identifier)
    expired = [s.snapshot_id for s in ancestors_of(table.current_snapshot(), table.metadata)]
    commit_from_outside(table)
    table.maintenance.expire_snapshots().by_ids(expired).commit()
