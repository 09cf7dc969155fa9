"""How ClickHouse reads a mart: exactly the version that the catalog names, never the newest file in a folder.

Where it stops: local files only; another storage is one more branch of `table_function`.
"""

from __future__ import annotations

from pathlib import Path

from pyiceberg.table import Table

from lakehouse_assets.engines.clickhouse.sql import literal
from lakehouse_assets.engines.duckdb.session import local_path
from lakehouse_assets.mendable import Mendable


class UnreachableStorage(Mendable):
    """The mart lies where ClickHouse was not told to read."""


def table_function(table: Table, home: Path) -> str:
    """A table function over the handle's version, for a server whose working directory is `home`."""
    location = local_path(table.location())
    if "://" in location:
        raise UnreachableStorage(f"{table.location()}: only local warehouses are published by icebergLocal")
    folder = Path(location).resolve()
    metadata = Path(local_path(table.metadata_location)).resolve()
    try:
        relative, version = folder.relative_to(home.resolve()), metadata.relative_to(folder)
    except ValueError as error:
        raise UnreachableStorage(f"{table.location()} is not inside {home}") from error
    settings = f"SETTINGS iceberg_metadata_file_path = {literal(str(version))}"
    return f"icebergLocal({literal(f'{relative}/')}, {settings})"
