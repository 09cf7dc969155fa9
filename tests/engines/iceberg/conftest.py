"""A small table of accounts that tests create, fill and damage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure

SCHEMA = pa.schema([pa.field("id", pa.int64(), False), pa.field("day", pa.date32()), pa.field("name", pa.string())])


@dataclass(frozen=True)
class Accounts:
    """`table()` is a fresh handle each time, as another process would have it."""

    catalog: Catalog
    spec: TableSpec

    def table(self) -> Table:
        return ensure(self.catalog, self.spec)

    def add(self, rows: Sequence[dict[str, Any]], **summary: str) -> Snapshot:
        table = self.table()
        added = write_files(table, pa.Table.from_pylist(list(rows), schema=self.spec.schema))
        return commit(table, summary={f"lakehouse.{k.replace('_', '-')}": v for k, v in summary.items()}, added=added)

    def rows(self) -> list[dict[str, Any]]:
        return sorted(self.table().scan().to_arrow().to_pylist(), key=lambda row: row["id"])

    def ids(self) -> list[int]:
        return [row["id"] for row in self.rows()]


@pytest.fixture
def accounts(lake: Catalog) -> Accounts:
    return Accounts(lake, TableSpec("lab.accounts", SCHEMA, sort_by=("id",), description="Accounts."))
