"""What a model's asset shows after a run, beyond what every table shows: its columns' types and where they come from.

Where it stops: size, preview and masks are `asset_facts`'.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb
from pyiceberg.table import Table

from lakehouse_assets.asset_facts import column_lineage, preview, size
from lakehouse_assets.engines.dbt.project import Project
from lakehouse_assets.engines.duckdb.session import duckdb_type
from lakehouse_assets.vault import lineage


def describe(
    conn: duckdb.DuckDBPyConnection, project: Project, traced: lineage.Trace, identifier: str, table: Table
) -> dict[str, Any]:
    """Dagster metadata of a table as of its present snapshot. Personal data is masked."""
    columns = {name: [(s[0], s[1]) for s in sources] for name, sources in traced.get(identifier, {}).items()}
    return {
        **size(table),
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(f.name, duckdb_type(f.field_type).lower(), f.doc) for f in table.schema().fields]
        ),
        "dagster/column_lineage": column_lineage(columns),
        "computed_columns": [name for name, sources in columns.items() if not sources],
        "preview": preview(conn, table, lineage.personal(traced, project.manifest, identifier)),
    }
