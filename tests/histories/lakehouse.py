"""The lakehouse that a history is played against: small, over the fuse, with the drawn table as its only contract.

Where it stops: what is done to it is `play`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import duckdb
from pyiceberg.io import InputFile
from pyiceberg.serializers import FromInputFile
from pyiceberg.table.metadata import TableMetadata

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, marks
from lakehouse_assets.engines.iceberg.scan import sequence_of
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import epochs, retention
from lakehouse_assets.operations.compaction import Sizes, compact
from lakehouse_assets.operations.expiry import LEAST, expire
from lakehouse_assets.operations.history import CannotRollBack, history, rollback
from lakehouse_assets.silver import schema
from tests.histories.faults import FusedCatalog, FusedIO
from tests.histories.steps import Operation

LONG_AFTER = timedelta(days=30)
BATCH = 60
"""Messages of one commit of bronze: a landing of a whole history makes two."""


@contextmanager
def lakehouse(home: Path) -> Iterator[Platform]:
    """An empty one, over the fuse."""
    catalog = FusedCatalog(
        "lakehouse",
        **{
            "uri": f"sqlite:///{home / 'catalog.db'}",
            "warehouse": f"file://{home / 'warehouse'}",
            "py-io-impl": f"{FusedIO.__module__}.{FusedIO.__name__}",
        },
    )

    def no_clickhouse() -> object:
        raise RuntimeError("a history has no ClickHouse")

    (home / "events").mkdir(exist_ok=True)
    with metadata_read_once():
        yield Platform("embedded", home, FileLog(home / "events"), lambda: catalog, no_clickhouse, "embedded", BATCH)
    catalog.close()


@contextmanager
def one_database() -> Iterator[None]:
    """DuckDB sessions that are of one database: to make a database for each step would take a third of the time."""
    with (
        duckdb.connect(config={"threads": 1}) as database,
        patch.object(duckdb, "connect", lambda **_: database.cursor()),
    ):
        yield


@contextmanager
def metadata_read_once() -> Iterator[None]:
    """A metadata file never changes, and a history loads each of its tables thirty times."""
    read = FromInputFile.table_metadata
    seen: dict[str, TableMetadata] = {}

    def table_metadata(file: InputFile) -> TableMetadata:
        if file.location not in seen:
            seen[file.location] = read(file)
        return seen[file.location]

    with patch.object(FromInputFile, "table_metadata", table_metadata):
        yield


@contextmanager
def declaring(table: Table) -> Iterator[None]:
    """While it lasts, the table is the only contract for whoever looks tables up by name."""
    with ExitStack() as patches:
        for module in (epochs, retention):
            patches.enter_context(patch.object(module, "tables", lambda: (table,)))
        patches.enter_context(patch.object(epochs, "sources", lambda: (table.source,)))
        yield


def names_of(table: Table) -> tuple[str, str, str]:
    """Bronze, the changes and the current table."""
    return f"bronze.{table.id}", schema.changes_name(table), schema.current_name(table)


def dropped(platform: Platform, name: str) -> date:
    """The last day that retention dropped of a table."""
    held = load(platform.open_catalog(), name)
    said = marks(held).get(DROPPED_THROUGH) if held is not None else None
    return date.fromisoformat(said) if said else date.min


def sequence(platform: Platform, name: str) -> int:
    """The number of a table's present snapshot; 0 where there is none."""
    held = load(platform.open_catalog(), name)
    return sequence_of(held) if held is not None else 0


def tidy(platform: Platform, name: str, operation: Operation, number: int, since: int = 0) -> None:
    """Keeps a table in order, however little there is to do. It is rolled back to no snapshot before that of the number
    `since`."""
    handle = load(platform.open_catalog(), name)
    if handle is None or handle.current_snapshot() is None:
        return
    match operation:
        case "compact":
            for _ in compact(platform, name, Sizes(least_files=2)):
                pass
        case "expire":
            with handle.transaction() as transaction:
                transaction.set_properties({LEAST: "1"})
            expire(platform, name, datetime.now(UTC) + LONG_AFTER)
        case "roll back":
            earlier = [v for v in history(handle) if v.number >= since][1 + number :]
            if earlier:
                with suppress(CannotRollBack):
                    rollback(platform, name, earlier[0].snapshot_id)
