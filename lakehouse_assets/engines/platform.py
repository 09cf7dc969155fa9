"""What a profile must supply: one frozen value that every layer is handed.

Where it stops: it opens nothing by itself; the catalog and ClickHouse are opened by whoever first asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from clickhouse_connect.driver.client import Client
from pyarrow.fs import FileSystem, SubTreeFileSystem
from pyiceberg.catalog import Catalog

from lakehouse_assets.contracts.table import Engine
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.log.log import EventLog
from lakehouse_assets.engines.probe import Probe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Automation:
    """How often a source is looked at and how many of its tables one run takes; `starts` says whether sensors and
    schedules run before somebody starts them."""

    interval_seconds: int = 300
    events_interval_seconds: int = 10
    tables_at_once: int = 4
    starts: bool = False


@dataclass(frozen=True)
class Platform:
    """`batch_messages` bounds what one bronze commit holds; `memory_limit` is DuckDB's, e.g. `1GB`; `let_floods_in` are
    ids of tables whose batches are taken however many of their messages are refused. `probes` is what must be true of
    its services; a run waits `patience_seconds` for one that does not answer. `storage` are PyIceberg's properties of
    an S3 server, its keys among them; none where every file is local. CSV files are delivered to `deliveries`, a
    location in that storage; without one to the folder `files` of `home`. `refined_by` and `maintained_by` are the
    engines of tables whose contracts name none; Spark's session is opened by who first asks, and None is no Spark.
    Backups go to `backups`, else to a folder of `home`."""

    name: str
    home: Path
    log: EventLog
    open_catalog: Callable[[], Catalog]
    open_clickhouse: Callable[[], Client]
    dbt_target: str
    batch_messages: int = 100_000
    memory_limit: str = "1GB"
    let_floods_in: frozenset[str] = frozenset()
    probes: tuple[Probe, ...] = ()
    patience_seconds: float = 0.0
    storage: Mapping[str, str] = field(default_factory=dict, repr=False)
    deliveries: str = ""
    automation: Automation = Automation()
    backups: Path | None = None
    open_spark: Callable[[], SparkSession] | None = None
    refined_by: Engine = "duckdb"
    maintained_by: Engine = "duckdb"

    def spark(self, usual: Engine, wanted: Engine | None) -> Callable[[], SparkSession] | None:
        """What opens the Spark that does the work; None where this process does. `wanted` by a contract goes before the
        `usual` engine."""
        return self.open_spark if (wanted or usual) == "spark" else None

    def open_duckdb(self) -> duckdb.DuckDBPyConnection:
        """A session of its own, which reads the files of every table."""
        return connect(self.memory_limit, storage=self.storage)

    @property
    def backup_folder(self) -> Path:
        """Where backups lie."""
        return self.backups or self.home / "backups"

    @property
    def files(self) -> str:
        """Where CSV files are delivered, as `<source>/<table>/<name>.csv`."""
        return self.deliveries.rstrip("/") or str(self.home / "files")

    def open_files(self) -> FileSystem:
        """The same as a file system, paths relative to it."""
        from lakehouse_assets.engines.iceberg.storage import file_system

        system, root = file_system(self.storage, self.deliveries or f"file://{self.home}/files")
        return SubTreeFileSystem(root.rstrip("/"), system)
