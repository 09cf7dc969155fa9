"""The bronze table of a contract: every message as it came, with where it came from.

Where it stops: rows are made by `decode` and `csv_rows`, committed by `land` and `land_files`.
"""

from __future__ import annotations

import pyarrow as pa

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.schema import TIMESTAMPTZ, field
from lakehouse_assets.engines.iceberg.tables import TableSpec

_STRING, _LONG, _INT = pa.string(), pa.int64(), pa.int32()

COLUMNS = pa.schema(
    [
        field("topic", _STRING, "Topic of the message; `files/<source>/<table>` for CSV rows.", False),
        field("partition", _INT, "Partition of the topic.", False),
        field("offset", _LONG, "Offset in the partition; for CSV the running row number.", False),
        field("kafka_timestamp", TIMESTAMPTZ, "The message's timestamp in the log."),
        field("key", _STRING, "The message's key."),
        field("headers", pa.map_(_STRING, _STRING), "The message's headers."),
        field("data", _STRING, "The row as JSON: `after`, `before` of a delete, the event, the CSV row."),
        field("data_schema", _STRING, "The schema that came with the row, as JSON: how its values are written."),
        field("before", _STRING, "The row before the change, as JSON."),
        field("op", _STRING, "c r u d t m; null for events and files."),
        field("is_tombstone", pa.bool_(), "A key without a value, which follows a delete.", False),
        field("ts_ms", _LONG, "When the connector saw the change, in milliseconds."),
        field("source_connector", _STRING, "The connector's kind."),
        field("source_db", _STRING, "Database of the change."),
        field("source_schema", _STRING, "Schema of the change."),
        field("source_table", _STRING, "Table of the change."),
        field("source_ts_ms", _LONG, "When the database committed the change, in milliseconds."),
        field("source_snapshot", _STRING, "Whether the row was read by a snapshot."),
        field("source_tx_id", _STRING, "The database's transaction."),
        field("source_sequence", _STRING, "PostgreSQL: last commit's and this change's LSN."),
        field("source_lsn", _LONG, "PostgreSQL: LSN of the change."),
        field("source_gtid", _STRING, "MySQL: the transaction's GTID."),
        field("source_file_name", _STRING, "MySQL: binlog file."),
        field("source_pos", _LONG, "MySQL: position in the binlog file."),
        field("source_row", _INT, "MySQL: row of the event at that position."),
        field("raw", pa.binary(), "The value's bytes, only where the message is not valid or was not when it came."),
        field("error", _STRING, "Why the message is not valid: a dead letter."),
        field("ingestion_timestamp", TIMESTAMPTZ, "When the row was landed: the partition, by day.", False),
        field("source_system", _STRING, "The contract's source.", False),
        field("source_file", _STRING, "Topic and partition, or the CSV's path.", False),
        field("record_hash", _STRING, "MD5 of the value's bytes (of a tombstone's key, of the CSV line).", False),
        field("replay_sequence", _LONG, "Number of the commit that replayed the row, which was a dead letter before."),
        field("discarded_at", TIMESTAMPTZ, "When it was decided that a dead letter stays out."),
    ]
)


def spec(table: Table) -> TableSpec:
    return TableSpec(
        f"bronze.{table.id}",
        COLUMNS,
        partition_by=(("day", "ingestion_timestamp"),),
        sort_by=("partition", "offset"),
        exact_bounds=("topic",),
        properties={"write.parquet.compression-codec": "snappy"},
        description=f"Every message of {table.topic}, as it came. {table.description}",
    )
