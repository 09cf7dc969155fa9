"""What a Dagster asset shows of its Iceberg table: columns, size, snapshot and a preview with personal data masked.

Where it stops: it reads Iceberg's metadata and at most the first rows of one file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from pyiceberg.table import Table

from lakehouse_assets.engines.duckdb.session import select
from lakehouse_assets.engines.iceberg.scan import data_files

_EVALUATED = (AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED)
PREVIEW_ROWS = 5
MASK = "•••"


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    """The columns tab, before the asset has ever run."""
    columns = [
        dg.TableColumn(
            f.name,
            str(f.type),
            (f.metadata or {}).get(b"doc", b"").decode() or None,
            constraints=dg.TableColumnConstraints(nullable=f.nullable),
        )
        for f in schema
    ]
    return dg.TableSchema(columns)


def size(table: Table) -> dict[str, Any]:
    """Rows, files, bytes and snapshot as of the table's present snapshot."""
    snapshot = table.current_snapshot()
    summary: Mapping[str, str] = {}
    if snapshot is not None and snapshot.summary is not None:
        summary = snapshot.summary.additional_properties
    return {
        "dagster/row_count": int(summary.get("total-records", "0")),
        "snapshot_id": str(snapshot.snapshot_id) if snapshot is not None else "none",
        "files": int(summary.get("total-data-files", "0")),
        "bytes": int(summary.get("total-files-size", "0")),
    }


def preview(conn: duckdb.DuckDBPyConnection, table: Table, masked: Collection[str]) -> dg.MarkdownMetadataValue:
    """A Markdown table of a few rows; masked columns show that there is a value, not which."""
    rows = conn.execute(f"{select(table, data_files(table)[:1])} limit {PREVIEW_ROWS}").fetchall()
    names = [f.name for f in table.schema().fields]
    shown = [
        [MASK if name in masked and value is not None else _cell(value) for name, value in zip(names, row, strict=True)]
        for row in rows
    ]
    lines = [names, ["---"] * len(names), *shown]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def column_lineage(columns: Mapping[str, Iterable[tuple[str, str]]]) -> dg.TableColumnLineage:
    """From `{column: [(layer.table, column), ...]}`; a computed column has no upstream."""
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset_key(parent), column) for parent, column in upstream]
            for name, upstream in columns.items()
        }
    )


def asset_key(identifier: str) -> dg.AssetKey:
    """`silver.bank_users` as the key `silver/bank_users`."""
    return dg.AssetKey(identifier.split("."))


def earlier_result(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckResult | None:
    """The check's last evaluation, to be told again where what it checked has not changed; None before the first."""
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    for record in history:
        event = record.event.dagster_event if record.event is not None else None
        if record.status not in _EVALUATED or event is None:
            continue
        earlier = event.asset_check_evaluation_data
        return dg.AssetCheckResult(
            passed=earlier.passed,
            asset_key=key.asset_key,
            check_name=key.name,
            severity=earlier.severity,
            metadata=earlier.metadata,
        )
    return None


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")[:80]
