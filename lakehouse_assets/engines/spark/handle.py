"""What a worker needs of this process: a table as it was read here, and Arrow rows as bytes.

Rows travel as bytes, because Spark has not all of their types and need not look at them. A function that runs on a
worker is pickled with its handle, storage keys included, and goes to the executors only.
Where it stops: a worker reads and writes data files; it has no catalog, and commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

import pyarrow as pa
from pyiceberg.table import Table


@dataclass(frozen=True)
class Handle:
    """Exactly the version of a table that `metadata`, the location of a file, describes."""

    name: tuple[str, ...]
    metadata: str
    storage: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, table: Table) -> Self:
        return cls(table.name(), table.metadata_location, dict(table.io.properties))

    def open(self) -> Table:
        # Importing PyIceberg's Arrow reader, and with it pandas, takes a second that reading definitions must not.
        from pyiceberg.catalog.noop import NoopCatalog
        from pyiceberg.io import load_file_io
        from pyiceberg.serializers import FromInputFile

        io = load_file_io(dict(self.storage), self.metadata)
        metadata = FromInputFile.table_metadata(io.new_input(self.metadata))
        return Table(self.name, metadata, self.metadata, io, NoopCatalog("worker"))


def to_bytes(rows: pa.Table) -> bytes:
    """As an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return bytes(sink.getvalue())


def from_bytes(streams: Iterable[bytes]) -> pa.Table:
    """The rows of at least one stream, which have the same columns."""
    return pa.concat_tables([pa.ipc.open_stream(stream).read_all() for stream in streams])
