"""The lake as it was, for Python: read a table at a snapshot or a time, and go back to one.

    from lakehouse_assets.operations.time_travel import TimeTravel
    from lakehouse_assets.profiles.active import platform

    past = TimeTravel(platform())
    past.read_at_snapshot("silver.bank_users", 4862170573842236451)
    past.read_as_of("silver.bank_users", datetime(2026, 3, 1, tzinfo=UTC))
    past.rollback("silver.bank_users", 4862170573842236451)

Where it stops: the command line has the same and more: `query --as-of`, `diff`, `tag`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from lakehouse_assets.engines.iceberg.time_travel import Point, snapshot_at
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import history


@dataclass(frozen=True)
class TimeTravel:
    """Tables are named `layer.table`. Every method raises UnknownTable and UnknownSnapshot."""

    platform: Platform

    def read_at_snapshot(self, table: str, snapshot: int | str) -> pa.Table:
        """The rows at a snapshot's id or a tag, with the columns that the table had."""
        return self._read(table, snapshot)

    def read_as_of(self, table: str, time: datetime) -> pa.Table:
        """The rows that the table held then, with the columns that it had. Raises ValueError without a zone."""
        if time.tzinfo is None:
            raise ValueError(f"{time} has no zone")
        return self._read(table, time)

    def rollback(self, table: str, snapshot: int) -> history.RolledBack:
        """Makes an earlier snapshot the present one. Raises CannotRollBack, and Conflict beside another writer."""
        return history.rollback(self.platform, table, snapshot)

    def _read(self, identifier: str, point: Point) -> pa.Table:
        table = history.open_table(self.platform.open_catalog(), identifier)
        return table.scan(snapshot_id=snapshot_at(table, point).snapshot_id).to_arrow()
