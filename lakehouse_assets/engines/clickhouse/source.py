"""How ClickHouse reads a mart: exactly the version that the catalog names, never the newest file in a folder.

Where it stops: what is in S3 the server reads with the address and keys of its own named collection, which no statement
tells and nobody else may see; how it is made is the deployment's.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pyiceberg.table import Table

from lakehouse_assets.engines.clickhouse.sql import literal
from lakehouse_assets.engines.duckdb.session import local_path
from lakehouse_assets.mendable import Mendable

COLLECTION = "lake"
"""The named collection that holds the address of the warehouse's bucket, up to and with its last slash."""


class UnreachableStorage(Mendable):
    """The mart lies where ClickHouse was not told to read."""


def table_function(table: Table, home: Path) -> str:
    """A table function over the handle's version, for a server whose working directory is `home`."""
    location = local_path(table.location())
    if location.startswith("s3://"):
        return _in_s3(location.rstrip("/"), table.metadata_location)
    if "://" in location:
        raise UnreachableStorage(f"{location}: a warehouse to publish from is in S3 or in local files")
    folder = Path(location).resolve()
    metadata = Path(local_path(table.metadata_location)).resolve()
    try:
        relative, version = folder.relative_to(home.resolve()), metadata.relative_to(folder)
    except ValueError as error:
        raise UnreachableStorage(f"{table.location()} is not inside {home}") from error
    return f"icebergLocal({literal(f'{relative}/')}, {_exactly(str(version))})"


def _in_s3(location: str, metadata: str) -> str:
    folder, version = urlsplit(location).path.strip("/"), metadata.removeprefix(f"{location}/")
    return f"icebergS3({COLLECTION}, filename = {literal(f'{folder}/')}, {_exactly(version)})"


def _exactly(version: str) -> str:
    return f"SETTINGS iceberg_metadata_file_path = {literal(version)}"
