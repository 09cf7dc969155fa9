"""dbt's adapter where Trino computes: what models read, and what becomes of the rows that they made.

A model reads its slice by a query over one snapshot. Its rows are staged by Trino in an Iceberg table of the namespace
`staging`, and committed from there by `store`, as in every profile: Trino itself writes no table of a layer.
Where it stops: which rows those are is `narrowing`'s. All rows of one model pass through this process once.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from dbt.adapters import trino as dbt_trino
from dbt.adapters.base.meta import available
from dbt.adapters.base.relation import BaseRelation
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from lakehouse_assets.engines.dbt.invocation import Invocation, current
from lakehouse_assets.engines.dbt.narrowing import Kind, Rows, narrowed, no_row
from lakehouse_assets.engines.dbt.project import Project
from lakehouse_assets.engines.dbt.store import store
from lakehouse_assets.engines.duckdb.session import connect, literal

STAGING = "staging"
LEFT_OVER = timedelta(days=1)
"""A staged table of this age is nobody's: what staged it was killed."""

LISTED_FILES = 5_000
"""Of more files than this the whole table is read: the text of a query is bounded."""


class TrinoAdapter(dbt_trino.TrinoAdapter):  # type: ignore[misc, name-defined]
    """What the macros call as `adapter`. dbt looks for a package of the class's name."""

    @available.parse_none
    def narrowed(self, relation: BaseRelation, kind: Kind, name: str) -> str:
        """The query of what model `name` reads of the relation."""
        invocation = _invocation()
        model = invocation.project.model(name)
        with connect(invocation.memory_limit, storage=invocation.catalog.properties) as conn:
            rows = narrowed(conn, invocation, model, kind, _identifier(relation))
        return f"({select(relation, rows)})" if rows is not None else f"(select * from {no_row(model)})"

    @available.parse_none
    def staged(self, relation: BaseRelation) -> BaseRelation:
        """Where Trino is to put a model's rows."""
        name = f"{relation.identifier}_{uuid.uuid4().hex}"
        staged: BaseRelation = relation.create(relation.database, STAGING, name)
        return staged

    @available.parse_none
    def store(self, relation: BaseRelation, staged: BaseRelation) -> None:
        """Commits the staged rows to the model's table, and shows it to the models that read it."""
        invocation = _invocation()
        model = invocation.project.model(_identifier(relation))
        table = invocation.catalog.load_table(_identifier(staged))
        with connect(invocation.memory_limit, storage=invocation.catalog.properties) as conn:
            invocation.keep(model.identifier, store(conn, invocation, model, _plain(table.scan().to_arrow())))
        invocation.catalog.purge_table(_identifier(staged))


def prepare(catalog: Catalog, project: Project) -> None:
    """Before an invocation: puts the adapter in its place and removes what killed ones left staged."""
    dbt_trino.Plugin.adapter = TrinoAdapter
    # dbt would have Trino make those that are missing.
    for namespace in {STAGING, *(identifier.split(".")[0] for identifier in project.models)}:
        catalog.create_namespace_if_not_exists(namespace)
    for name in catalog.list_tables(STAGING):
        try:
            written = catalog.load_table(name).metadata.last_updated_ms
            if datetime.now(UTC) - datetime.fromtimestamp(written / 1000, UTC) > LEFT_OVER:
                catalog.purge_table(name)
        except NoSuchTableError:
            continue  # committed meanwhile


def select(relation: object, rows: Rows) -> str:
    """The query of the rows, over the very snapshot that the model's mark will name."""
    table = rows.table
    snapshot = table.current_snapshot()
    if snapshot is None or snapshot.schema_id != table.schema().schema_id:
        # Only the table itself has the columns that came after its last snapshot. A row that comes meanwhile is read
        # twice, which changes nothing.
        return f"select * from {relation} where {rows.condition}"
    conditions = [rows.condition]
    if rows.files is not None and len(rows.files) <= LISTED_FILES:
        paths = ", ".join(literal(f.file_path) for f in rows.files) or "null"
        conditions.append(f'"$path" in ({paths})')
    return f"select * from {relation} for version as of {snapshot.snapshot_id} where {' and '.join(conditions)}"


def _invocation() -> Invocation:
    invocation = current()
    if invocation is None:
        raise RuntimeError("a model is built only by a run that the project started: use `lakehouse materialize`")
    return invocation


def _identifier(relation: BaseRelation) -> str:
    return f"{relation.schema}.{relation.identifier}"


def _plain(rows: pa.Table) -> pa.Table:
    """With the types that DuckDB's rows have: the model's table is made after them."""
    return rows.cast(
        pa.schema([pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in rows.schema])
    )
