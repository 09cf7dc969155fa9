"""Where tables and delivered files lie, as a file system of pyarrow: a folder of this machine, or a bucket over S3.

A server that was restarted is waited for: a request is tried eight times, for about half a minute.
Where it stops: it is given PyIceberg's own properties, and opens no file.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyarrow.fs import AwsStandardS3RetryStrategy, FileSystem
from pyiceberg.table import Table

ATTEMPTS = 8


class Patient(AwsStandardS3RetryStrategy):  # type: ignore[misc]
    """PyIceberg makes it by its name, without arguments."""

    def __init__(self) -> None:
        super().__init__(max_attempts=ATTEMPTS)


RETRIES = {
    "s3.retry-strategy-impl": f"{Patient.__module__}.{Patient.__name__}",
    "s3.connect-timeout": "5",
    "s3.request-timeout": "60",
}


def file_system(properties: Mapping[str, str], location: str) -> tuple[FileSystem, str]:
    """The file system of a location (`s3://bucket/x`, `file:///x`), and its path there."""
    # Importing it takes two seconds that reading definitions must not.
    from pyiceberg.io.pyarrow import PyArrowFileIO

    scheme, netloc, path = PyArrowFileIO.parse_location(location)
    return PyArrowFileIO(dict(properties)).fs_by_scheme(scheme, netloc), path


def of_table(table: Table) -> tuple[FileSystem, str]:
    """The table's folder."""
    return file_system(table.io.properties, table.location())


def path_of(location: str) -> str:
    """As `file_system` gives it."""
    from pyiceberg.io.pyarrow import PyArrowFileIO

    return str(PyArrowFileIO.parse_location(location)[2])
