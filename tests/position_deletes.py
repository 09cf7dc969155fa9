"""Iceberg v2 position deletes as Trino's MERGE leaves them, which PyIceberg itself cannot write."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles

SCHEMA = pa.schema(
    [
        pa.field("file_path", pa.string(), False, {"PARQUET:field_id": "2147483546"}),
        pa.field("pos", pa.int64(), False, {"PARQUET:field_id": "2147483545"}),
    ]
)


def delete_positions(table: Table, data: DataFile, *positions: int) -> None:
    """Commits the deletion of the rows at these positions of a data file."""
    path = table.location_provider().new_data_location(f"{uuid.uuid4()}-deletes.parquet")
    rows = pa.table([[data.file_path] * len(positions), list(positions)], SCHEMA)
    with table.io.new_output(path).create() as stream:
        pq.write_table(rows, stream)
    transaction = table.transaction()
    size = len(table.io.new_input(path))
    with _Deletes(transaction, table, _delete_file(data, path, len(positions), size)) as producer:
        del producer
    transaction.commit_transaction()


def _delete_file(data: DataFile, path: str, count: int, size: int) -> DataFile:
    bounds = {2147483546: data.file_path.encode()}
    return DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=data.partition,
        record_count=count,
        file_size_in_bytes=size,
        lower_bounds=bounds,
        upper_bounds=bounds,
        spec_id=data.spec_id,
    )


class _Writer(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _Deletes(_FastAppendFiles):
    def __init__(self, transaction, table: Table, file: DataFile) -> None:  # type: ignore[no-untyped-def]
        super().__init__(Operation.OVERWRITE, transaction, table.io)
        self._file = file

    def _existing_manifests(self) -> list[ManifestFile]:
        metadata = self._transaction.table_metadata
        output = self.new_manifest_output()
        with _Writer(metadata.spec(), metadata.schema(), output, self._snapshot_id, self._compression) as writer:
            writer.add(
                ManifestEntry.from_args(
                    status=ManifestEntryStatus.ADDED, snapshot_id=self._snapshot_id, data_file=self._file
                )
            )
        return [writer.to_manifest_file(), *super()._existing_manifests()]
