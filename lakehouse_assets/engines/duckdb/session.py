"""DuckDB over the Parquet files that Iceberg's metadata names.

Columns are found by field id, so that a renamed, added or widened column reads rightly from files of any age.
Where it stops: which files to read is `engines/iceberg/scan.py`'s; nothing is written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlparse

import duckdb
from pyiceberg import types as iceberg
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table

_DUCKDB_TYPES: dict[type[iceberg.IcebergType], str] = {
    iceberg.StringType: "VARCHAR",
    iceberg.UUIDType: "UUID",
    iceberg.IntegerType: "INTEGER",
    iceberg.LongType: "BIGINT",
    iceberg.FloatType: "FLOAT",
    iceberg.DoubleType: "DOUBLE",
    iceberg.BooleanType: "BOOLEAN",
    iceberg.DateType: "DATE",
    iceberg.TimeType: "TIME",
    iceberg.TimestampType: "TIMESTAMP",
    iceberg.TimestamptzType: "TIMESTAMP WITH TIME ZONE",
    iceberg.BinaryType: "BLOB",
}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def connect(
    memory_limit: str = "1GB", threads: int = 2, storage: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """An in-memory session in UTC that neither looks for nor loads an extension.

    With `storage`, PyIceberg's properties of a catalog or a table, it reads that S3 server's files too.
    """
    conn = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }
    )
    conn.execute("set TimeZone = 'UTC'")
    # Where Python runs a text and not a file, DuckDB takes it for a terminal.
    conn.execute("set enable_progress_bar = false")
    read_s3(conn, storage or {})
    return conn


def read_s3(conn: duckdb.DuckDBPyConnection, storage: Mapping[str, str]) -> None:
    """Has pyarrow read what lies at `s3://`, where the properties name such a server: DuckDB's own reader of S3 is an
    extension, which is downloaded."""
    if not any(name.startswith("s3.") for name in storage):
        return
    from fsspec.implementations.arrow import ArrowFSWrapper  # type: ignore[import-untyped]

    from lakehouse_assets.engines.iceberg.storage import file_system

    conn.register_filesystem(ArrowFSWrapper(file_system(storage, "s3://")[0]))


def quoted(identifier: str) -> str:
    """`layer.table` as `"layer"."table"`. Raises ValueError for anything that is not a name."""
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"{identifier!r} is not an identifier")
    return ".".join(f'"{part}"' for part in identifier.split("."))


def register_files(
    conn: duckdb.DuckDBPyConnection, name: str, table: Table, files: Sequence[DataFile], schema: Schema | None = None
) -> None:
    """Makes the view `schema.x`, or the session's own view `x`, over the files, with the columns of the schema: the
    table's present one where none is given."""
    if "." in name:
        conn.execute(f"create schema if not exists {quoted(name.split('.')[0])}")
    view = "view" if "." in name else "temp view"
    conn.execute(f"create or replace {view} {quoted(name)} as {select(table, files, schema)}")


def select(table: Table, files: Sequence[DataFile], schema: Schema | None = None) -> str:
    """The SELECT over the files; over none, a SELECT of the same columns that has no row."""
    fields = (schema or table.schema()).fields
    if not files:
        columns = ", ".join(f"null::{duckdb_type(f.field_type)} as {quoted(f.name)}" for f in fields)
        return f"select {columns} where false"
    paths = ", ".join(literal(local_path(f.file_path)) for f in files)
    mapping = ", ".join(
        f"{f.field_id}: {{name: {literal(f.name)}, type: {literal(duckdb_type(f.field_type))}, default_value: NULL}}"
        for f in fields
    )
    return f"select * from read_parquet([{paths}], schema = MAP {{{mapping}}})"


def duckdb_type(kind: iceberg.IcebergType) -> str:
    """An Iceberg type in DuckDB's words. Raises KeyError for one that no table here uses."""
    match kind:
        case iceberg.DecimalType():
            return f"DECIMAL({kind.precision},{kind.scale})"
        case iceberg.ListType():
            return f"{duckdb_type(kind.element_type)}[]"
        case iceberg.MapType():
            return f"MAP({duckdb_type(kind.key_type)}, {duckdb_type(kind.value_type)})"
        case _:
            return _DUCKDB_TYPES[type(kind)]


def local_path(uri: str) -> str:
    """A `file://` URI as a path; any other URI unchanged."""
    parsed = urlparse(uri)
    return unquote(parsed.path) if parsed.scheme == "file" else uri


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
