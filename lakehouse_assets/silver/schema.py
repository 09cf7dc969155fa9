"""The silver tables that follow from a contract: their columns, partitions and sort order.

Where it stops: how rows get in is `fold_*`'s.
"""

from __future__ import annotations

import pyarrow as pa

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.schema import TIMESTAMPTZ, field, fields
from lakehouse_assets.engines.iceberg.tables import TableSpec

REJECTS = "silver.rejects"

_POSITION = field("change_position", pa.string(), "Sortable place of the change in the source's own order.", False)
_CHANGE_TIME = field("change_time", TIMESTAMPTZ, "When the source committed the change (source.ts_ms).", False)
_LOAD_SEQUENCE = field("load_sequence", pa.int64(), "Number of the commit that wrote the row; it only grows.", False)
_VIOLATIONS = field("violations", pa.list_(pa.string()), "Names of the contract's rules that the row breaks.")
_COORDINATES = [
    field("topic", pa.string(), "Topic that the row was landed from.", False),
    field("partition", pa.int32(), "The topic's partition.", False),
    field("offset", pa.int64(), "The message's offset in its partition.", False),
]
_INGESTED = field("ingestion_timestamp", TIMESTAMPTZ, "When bronze landed the message.", False)


def changes_name(table: Table) -> str:
    return f"silver.{table.id}_changes"


def current_name(table: Table) -> str:
    """`silver.bank_users`; for events the table of events."""
    return f"silver.{table.id}"


def folded_name(table: Table) -> str:
    """The table that is folded from bronze itself."""
    return changes_name(table) if table.source.kind == "cdc" else current_name(table)


def changes(table: Table) -> TableSpec:
    """One row per change, by day of the change. A truncate is a row whose key is null."""
    return TableSpec(
        changes_name(table),
        pa.schema(
            [
                *fields(table.columns),
                _POSITION,
                field(
                    "op",
                    pa.string(),
                    "c create, u update, d delete, r snapshot read, t truncate or end of a complete snapshot.",
                    False,
                ),
                field("is_deleted", pa.bool_(), "Whether the key is gone after the change.", False),
                _CHANGE_TIME,
                field("change_date", pa.date32(), "UTC day of the change: the partition.", False),
                field("source_tx_id", pa.string(), "The source's transaction."),
                *_COORDINATES,
                _INGESTED,
                _LOAD_SEQUENCE,
                field("unavailable", pa.list_(pa.string()), "Columns whose value the event left out, filled in here."),
                _VIOLATIONS,
            ]
        ),
        partition_by=(("identity", "change_date"),),
        sort_by=(*table.key, "change_position"),
        exact_bounds=("change_position",),
        renamed=table.renamed,
        description=f"Every change of {table.source.name}.{table.name}, typed. {table.description}",
    )


def current(table: Table) -> TableSpec:
    """The latest row per key of a CDC table, deleted keys left out."""
    return TableSpec(
        current_name(table),
        pa.schema([*fields(table.columns, table.key), _POSITION, _CHANGE_TIME, _LOAD_SEQUENCE, _VIOLATIONS]),
        partition_by=table.partition_by,
        sort_by=table.sort_by or table.key,
        exact_bounds=("change_position",),
        renamed=table.renamed,
        description=table.description,
    )


def files(table: Table) -> TableSpec:
    """The latest row per business key of the CSV files."""
    order = [
        field("source_file", pa.string(), "The CSV that the row came from.", False),
        field("landing_sequence", pa.int64(), "Number of the file in the order of landing.", False),
        field("row_number", pa.int64(), "Running number of the row over all files.", False),
    ]
    return TableSpec(
        current_name(table),
        pa.schema([*fields(table.columns, table.key), *order, _LOAD_SEQUENCE]),
        partition_by=table.partition_by,
        sort_by=table.sort_by or table.key,
        renamed=table.renamed,
        description=table.description,
    )


def events(table: Table) -> TableSpec:
    """One row per event, by day of the event."""
    event_date = field("event_date", pa.date32(), "UTC day of the event: the partition.", False)
    return TableSpec(
        current_name(table),
        pa.schema([*fields(table.columns, table.key), event_date, *_COORDINATES, _INGESTED, _LOAD_SEQUENCE]),
        partition_by=(("identity", "event_date"),),
        sort_by=table.sort_by or table.key,
        exact_bounds=table.key,
        renamed=table.renamed,
        description=table.description,
    )


def rejects() -> TableSpec:
    """Rows that silver could not take, of every table."""
    return TableSpec(
        REJECTS,
        pa.schema(
            [
                field("table", pa.string(), "The contract's id.", False),
                *_COORDINATES,
                field("rule", pa.string(), "The claim that the row breaks.", False),
                field("reason", pa.string(), "What was found and what was expected.", False),
                field("data", pa.string(), "The row as bronze holds it."),
                field("rejected_at", TIMESTAMPTZ, "When silver first refused the row.", False),
                field("discarded_at", TIMESTAMPTZ, "When it was decided that the row stays out."),
            ]
        ),
        sort_by=("table", "partition", "offset"),
        description="Rows that could not be cast or that break a rule of events and files, with the reason.",
    )
