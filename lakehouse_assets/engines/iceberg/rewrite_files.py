"""Writes the rows of some data files of one partition anew: sorted, in files of about a target size.

Rows stream from DuckDB, which sorts them within its memory limit and spills the rest, into Parquet files that end when
they have reached the target: what is held is one batch, whatever the partition holds. Position deletes are applied.
Where it stops: which files, and the commit that swaps them, are the caller's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence

import duckdb
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.locations import load_location_provider

from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg.commit import discard
from lakehouse_assets.engines.iceberg.scan import rows_of

BATCH_BYTES = 32 * 1024 * 1024
"""Of Arrow: what is held at once, and what a row group holds."""

_CHUNK_ROWS = 8_192


class RowsDiffer(RuntimeError):
    """What was written holds another number of rows than what it is to replace; nothing was committed."""


def rewrite_files(
    conn: duckdb.DuckDBPyConnection, table: Table, tasks: Sequence[FileScanTask], target_bytes: int
) -> list[DataFile]:
    """Files with the rows of the tasks' files, not yet part of the table; none are left behind when it fails.

    The tasks are of one partition of the table's present spec. Raises RowsDiffer.
    """
    plain = [t.file for t in tasks if not t.delete_files]
    masked = _Masked(table, [t for t in tasks if t.delete_files])
    conn.register("masked_rows", masked.reader())
    rows = conn.sql(f"{select(table, plain)} union all by name select * from masked_rows{_order(table)}")
    written: list[DataFile] = []
    try:
        for file in _files(table, tasks[0].file, _packed(rows.to_arrow_reader(_CHUNK_ROWS)), target_bytes):
            written.append(file)
        read = rows_of(plain) + masked.rows
        if rows_of(written) != read:
            name = ".".join(table.name())
            raise RowsDiffer(
                f"{name}: {read} rows of {len(tasks)} files became {rows_of(written)}; nothing was changed"
            )
    except BaseException:
        discard(table, written)
        raise
    finally:
        conn.unregister("masked_rows")
    return written


class _Masked:
    """The rows of files with position deletes, read by PyIceberg; counted while they pass."""

    def __init__(self, table: Table, tasks: Sequence[FileScanTask]) -> None:
        self._table, self._tasks, self.rows = table, tasks, 0

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._table.schema().as_arrow(), self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        # Importing PyIceberg's Arrow reader, and with it pandas, takes a second that reading definitions must not.
        from pyiceberg.io.pyarrow import ArrowScan

        scan = ArrowScan(self._table.metadata, self._table.io, self._table.schema(), AlwaysTrue())
        schema = self._table.schema().as_arrow()
        for task in self._tasks:
            for batch in scan.to_record_batches([task]):
                self.rows += batch.num_rows
                yield batch.cast(schema)


def _order(table: Table) -> str:
    names = [table.schema().find_column_name(f.source_id) for f in table.sort_order().fields]
    return f" order by {', '.join(f'{quoted(n)} nulls first' for n in names if n)}" if any(names) else ""


def _packed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(b.nbytes for b in waiting) >= BATCH_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _files(table: Table, like: DataFile, batches: Iterator[pa.Table], target_bytes: int) -> Iterator[DataFile]:
    """Parquet files in the partition of the file `like`; each ends with the batch that brings it to the target."""
    from pyiceberg.io.pyarrow import ParquetFormatWriter

    schema = table.schema().as_arrow()
    for batch in batches:
        path = _new_path(table, like)
        output = table.io.new_output(path)
        writer = ParquetFormatWriter(output, table.schema(), table.properties)
        try:
            with writer:
                writer.write(_typed(batch, schema))
                while (writer._fos is not None and writer._fos.tell() < target_bytes) and (more := next(batches, None)):
                    writer.write(_typed(more, schema))
        except BaseException:
            table.io.delete(path)
            raise
        yield DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=path,
            file_format=FileFormat.PARQUET,
            partition=like.partition,
            file_size_in_bytes=len(output),
            sort_order_id=None,
            spec_id=like.spec_id,
            equality_ids=None,
            key_metadata=None,
            **writer.result().to_serialized_dict(),
        )


def _typed(batch: pa.Table, schema: pa.Schema) -> pa.Table:
    """With the field ids, which readers find columns by."""
    return batch.select(schema.names).cast(schema)


def _new_path(table: Table, like: DataFile) -> str:
    spec = table.specs()[like.spec_id]
    values = [PartitionFieldValue(field, like.partition[n]) for n, field in enumerate(spec.fields)]
    key = PartitionKey(values, spec, table.schema()) if values else None
    return load_location_provider(table.location(), table.properties).new_data_location(f"{uuid.uuid4()}.parquet", key)
