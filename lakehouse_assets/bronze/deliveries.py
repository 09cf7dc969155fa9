"""The CSV files that were delivered: in the folder `files` of the home, or in a bucket.

They are read through pyarrow's file systems, which the tables' own files in S3 go through too: one login, one way to
wait for a server, and the same times and sizes wherever a file lies.
Where it stops: which of them are landed, and once, is `land_files`'.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from pyarrow.fs import FileInfo, FileSelector, FileType

from lakehouse_assets.bronze import csv_rows
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.platform import Platform

_READ_BYTES = 1 << 20


def deliveries(platform: Platform, table: Table) -> list[FileInfo]:
    """The table's files in the order of names; paths are relative to where files are delivered."""
    selector = FileSelector(f"{table.source.name}/{table.name}", allow_not_found=True)
    found = platform.open_files().get_file_info(selector)
    shown = (f for f in found if f.type == FileType.File and f.extension == "csv" and not f.base_name.startswith("."))
    return sorted(shown, key=lambda file: file.path)


def name(file: FileInfo) -> str:
    """The same wherever files are delivered."""
    return f"files/{file.path}"


@contextmanager
def opened(platform: Platform, file: FileInfo) -> Iterator[io.BufferedIOBase]:
    with platform.open_files().open_input_file(file.path) as found, io.BufferedReader(found, _READ_BYTES) as buffered:
        yield buffered


def content_hash(platform: Platform, file: FileInfo) -> str:
    with opened(platform, file) as found:
        return csv_rows.content_hash(found)
