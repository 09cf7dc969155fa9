"""DuckDB views over the Iceberg tables that the models and tests of one invocation read.

`layer.table` is the whole table, `layer__<kind>__<model>.table` the rows that `narrowing` leaves of it. Each is
planned, so that files that cannot hold such rows are not opened.
Where it stops: nothing is written.
"""

from __future__ import annotations

import duckdb

from lakehouse_assets.engines.dbt.invocation import Invocation
from lakehouse_assets.engines.dbt.narrowing import CHANGES, Kind, kinds_of, narrowed, no_row, reach_of
from lakehouse_assets.engines.dbt.project import Model
from lakehouse_assets.engines.duckdb.session import quoted, register_files, select
from lakehouse_assets.engines.iceberg.scan import data_files


def make_all(conn: duckdb.DuckDBPyConnection, invocation: Invocation) -> None:
    """Every view that can be made before the first model runs."""
    wanted = {m.identifier for m in invocation.models}
    wanted |= {p for t in invocation.tests for p in t.parents}
    wanted |= {p for m in invocation.models for p in m.parents if _read_whole(m, p)}
    for identifier in sorted(wanted):
        _make_whole(conn, invocation, identifier)
    for model in invocation.models:
        for parent in model.parents:
            _make_narrowed(conn, invocation, model, parent)
        _make_untested(conn, invocation, model)


def make_again(conn: duckdb.DuckDBPyConnection, invocation: Invocation, identifier: str) -> None:
    """The views over a table that has just been committed."""
    _make_whole(conn, invocation, identifier)
    for model in invocation.models:
        if identifier in model.parents:
            _make_narrowed(conn, invocation, model, identifier)
        if identifier == model.identifier:
            _make_untested(conn, invocation, model)


def _read_whole(model: Model, parent: str) -> bool:
    """Changes are read by slice or days alone: planning them whole would cost their whole metadata."""
    return model.strategy != "insert" and not parent.endswith(CHANGES)


def _make_whole(conn: duckdb.DuckDBPyConnection, invocation: Invocation, identifier: str) -> None:
    table = invocation.table(identifier)
    if table is not None:
        register_files(conn, identifier, table, data_files(table))


def _make_narrowed(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, parent: str) -> None:
    if invocation.table(parent) is None:
        return
    for kind in kinds_of(model, parent):
        _make(conn, invocation, model, kind, parent)
    if reach_of(conn, invocation, model, parent) is not None:
        _make(conn, invocation, model, "held", model.identifier)


def _make_untested(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model) -> None:
    if invocation.table(model.identifier) is not None and model.strategy == "days":
        _make(conn, invocation, model, "untested", model.identifier)


def _make(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, kind: Kind, identifier: str) -> None:
    layer, name = identifier.split(".")
    view = quoted(f"{layer}__{kind}__{model.name}.{name}")
    rows = narrowed(conn, invocation, model, kind, identifier)
    source = f"({select(rows.table, rows.planned())}) where {rows.condition}" if rows else no_row(model)
    conn.execute(f"create schema if not exists {view.split('.')[0]}")
    conn.execute(f"create or replace view {view} as select * from {source}")
