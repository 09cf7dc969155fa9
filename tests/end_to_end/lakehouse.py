"""A whole lakehouse of a test: fed from files, run in this process, its layers read as rows.

Rows come from Iceberg's and ClickHouse's own readers, so that a wrong reader of the project cannot hide a wrong row.
Where it stops: what the rows ought to be is `differences.py`'s.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from pyiceberg.table import Table

from lakehouse_assets.definitions import build
from lakehouse_assets.engines.clickhouse.client import stop
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.materialize import Outcome, increment
from lakehouse_assets.operations.rebuild import rebuild
from lakehouse_assets.profiles import embedded
from lakehouse_assets.profiles.settings import Settings
from tests import model

Rows = list[dict[str, Any]]


@dataclass
class Lakehouse:
    """`errors` are the steps that failed, with their reasons."""

    platform: Platform
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    errors: list[str]

    @property
    def home(self) -> Path:
        return self.platform.home

    def increment(self, selection: str = "*") -> Outcome:
        return increment(self.definitions, self.platform, self.instance, selection, self._heard)

    def rebuild(self, first: date, last: date, selection: str = "*") -> Outcome:
        return rebuild(self.definitions, self.platform, self.instance, selection, first, last, self._heard)

    def inputs(self) -> model.Inputs:
        """Everything in the log and the folders of files, whether it was landed or not."""
        return model.read_home(self.home)

    def table(self, identifier: str) -> Table:
        return self.platform.open_catalog().load_table(identifier)

    def tables(self) -> list[str]:
        """Every Iceberg table there is."""
        catalog = self.platform.open_catalog()
        return [".".join(name) for space in sorted(catalog.list_namespaces()) for name in catalog.list_tables(space)]

    def rows(self, identifier: str) -> Rows:
        """The rows of an Iceberg table; none where it was never made."""
        if not self.platform.open_catalog().table_exists(identifier):
            return []
        return list(self.table(identifier).scan().to_arrow().to_pylist())

    def gold(self, name: str) -> Rows:
        """The rows of a ClickHouse table as a reader without FINAL sees them; times in their declared zone."""
        client = self.platform.open_clickhouse()
        found = client.query(f"SELECT * FROM gold.`{name}`", tz_mode="schema")
        return [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]

    def gold_versions(self) -> list[tuple[Any, ...]]:
        """What changes when ClickHouse writes: every table's identity, definition and parts."""
        client = self.platform.open_clickhouse()
        tables = client.query("SELECT name, toString(uuid), metadata_modification_time, comment FROM system.tables"
                              " WHERE database = 'gold' ORDER BY name")  # fmt: skip
        parts = client.query("SELECT table, name FROM system.parts WHERE database = 'gold' AND active ORDER BY 1, 2")
        return [*tables.result_rows, *parts.result_rows]

    def snapshots(self) -> dict[str, int | None]:
        """The present snapshot of every Iceberg table."""
        return {t: s.snapshot_id if (s := self.table(t).current_snapshot()) else None for t in self.tables()}

    def tamper(self, identifier: str, edit: Callable[[Rows], Rows]) -> None:
        """Commits other rows in the place of all rows of a table."""
        table = self.table(identifier)
        rows = table.scan().to_arrow()
        edited = edit(list(rows.to_pylist()))
        assert edited != rows.to_pylist()
        added = write_files(table, pa.Table.from_pylist(edited, rows.schema))
        commit(table, summary={}, added=added, removed=data_files(table))

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever is committed inside is taken back: the catalog names each table's metadata of before."""
        where = self.home / "catalog.db"
        with closing(sqlite3.connect(":memory:")) as kept:
            with closing(sqlite3.connect(where)) as catalog:
                catalog.backup(kept)
            try:
                yield
            finally:
                with closing(sqlite3.connect(where)) as catalog:
                    kept.backup(catalog)

    def _heard(self, event: dg.DagsterEvent) -> None:
        if event.is_step_failure and event.step_failure_data.error is not None:
            self.errors.append(f"{event.step_key}: {event.step_failure_data.error.to_string()}")


@contextmanager
def open_lakehouse(home: Path) -> Iterator[Lakehouse]:
    """An embedded lakehouse at `home`, ended with its ClickHouse and its catalog's connections."""
    platform = embedded.platform(Settings(home=home))
    with dg.DagsterInstance.ephemeral() as instance:
        try:
            yield Lakehouse(platform, build(platform), instance, [])
        finally:
            stop(home)
            platform.open_catalog().close()
