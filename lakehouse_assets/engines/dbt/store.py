"""Commits the rows of a model that ran: one snapshot, by the model's strategy, with its marks.

Where it stops: the rows are dbt's; which parents were read, as of when, is the invocation's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from lakehouse_assets.engines.dbt import marks, narrowing
from lakehouse_assets.engines.dbt.invocation import Invocation
from lakehouse_assets.engines.dbt.project import Model
from lakehouse_assets.engines.dbt.retype import make_room
from lakehouse_assets.engines.dbt.truncates import POSITION
from lakehouse_assets.engines.duckdb.session import literal, quoted, select
from lakehouse_assets.engines.iceberg.commit import DAYS, REBUILT_DAYS, commit, write_files
from lakehouse_assets.engines.iceberg.rewrite import absent, match, replace
from lakehouse_assets.engines.iceberg.scan import data_files, sequence_of
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure


@dataclass(frozen=True)
class Change:
    """Files in and out, and the days of the rows that came or went."""

    added: list[DataFile] = field(default_factory=list)
    removed: list[DataFile] = field(default_factory=list)
    days: set[date] = field(default_factory=set)


def store(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, rows: pa.Table) -> Table:
    """Commits the model's rows and returns the table as committed. Raises Conflict when another writer was there."""
    before = invocation.table(model.identifier)
    parents = invocation.parents_of(model)
    rebuilt = marks.rebuilt_days(before, parents)
    if _begins_anew(invocation, model):
        make_room(invocation.catalog, model.identifier, rows.schema)
    table = ensure(invocation.catalog, _spec(model, rows.schema))
    change = _change(conn, invocation, model, table, rows)
    summary = {
        marks.THROUGH: json.dumps({i: sequence_of(t) for i, t in sorted(parents.items())}),
        marks.CODE: model.code,
    }
    if model.day_column is not None:
        summary[DAYS] = marks.iso({max(day, invocation.first_day) for day in change.days})
        if rebuilt != set():
            summary[REBUILT_DAYS] = marks.iso(change.days if rebuilt is None else rebuilt)
    if model.strategy == "days":
        summary[marks.PENDING] = marks.iso(_left(conn, invocation, model, before))
    commit(table, summary=summary, added=change.added, removed=change.removed)
    return invocation.catalog.load_table(model.identifier)


def _change(
    conn: duckdb.DuckDBPyConnection,
    invocation: Invocation,
    model: Model,
    table: Table,
    rows: pa.Table,
) -> Change:
    match model.strategy:
        case "insert":
            return Change(write_files(table, absent(conn, table, rows, model.unique_key, model.natural_key)))
        case "replace" if narrowing.begins_anew(invocation, model):
            return _replace_all(conn, model, table, rows)
        case "replace":
            return _replace_keys(conn, invocation, model, table, rows)
        case "days":
            return _replace_days(conn, invocation, model, table, rows)
        case _:
            return _replace_all(conn, model, table, rows)


def _begins_anew(invocation: Invocation, model: Model) -> bool:
    """Whether no row of the table outlives this commit, or, of a model by day, the runs that must follow it."""
    if model.strategy == "days":
        return marks.is_of_other_code(invocation.table(model.identifier), model)
    return model.strategy == "full" or narrowing.begins_anew(invocation, model)


def _replace_keys(
    conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, table: Table, rows: pa.Table
) -> Change:
    keys = rows.select(model.unique_key)
    if condition := _is_void(conn, invocation, model):
        names = ", ".join(map(quoted, model.unique_key))
        held = select(table, data_files(table))
        void = conn.sql(f"select {names} from ({held}) where {condition}").to_arrow_table()
        keys = pa.concat_tables([keys, void.cast(keys.schema)])
    return _swap(conn, model, table, _distinct(keys), rows)


def _is_void(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model) -> str | None:
    """The condition of the rows that go although no row takes their place; None where there are none."""
    conditions = [narrowing.is_rebuilt(invocation, model)]
    for parent in model.parents:
        reached = narrowing.reach_of(conn, invocation, model, parent)
        if reached is not None and reached.void:
            conditions.append(f"{quoted(POSITION)} in ({', '.join(map(literal, reached.void))})")
    return None if conditions == ["false"] else " or ".join(conditions)


def _replace_days(
    conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, table: Table, rows: pa.Table
) -> Change:
    column = model.day_column or ""
    prune, condition = narrowing.within(table, column, invocation.day_range)
    held = select(table, data_files(table, prune))
    days = conn.sql(f"select distinct {quoted(column)} from ({held}) where {condition}").to_arrow_table()
    return _swap(conn, model, table, days, rows)


def _swap(conn: duckdb.DuckDBPyConnection, model: Model, table: Table, keys: pa.Table, rows: pa.Table) -> Change:
    """Puts the rows in the place of those of the keys. A key whose rows are what the table holds is left alone."""
    found = match(conn, table, keys)
    conn.register("held_rows", found.rows)
    differing = _differing(conn, table, "select * from held_rows", rows)
    conn.unregister("held_rows")
    if not differing.num_rows:
        return Change()
    moved = _distinct(differing.select(keys.schema.names))
    if moved.num_rows < keys.num_rows:
        names = ", ".join(map(quoted, keys.schema.names))
        conn.register("moved_keys", moved)
        conn.register("new_rows", rows)
        rows = conn.sql(f"select n.* from new_rows n semi join moved_keys m using ({names})").to_arrow_table()
        conn.unregister("new_rows")
        conn.unregister("moved_keys")
        found = match(conn, table, moved)
    return Change(replace(conn, table, found, rows), found.files, _days_of(model, differing))


def _replace_all(conn: duckdb.DuckDBPyConnection, model: Model, table: Table, rows: pa.Table) -> Change:
    """Rows that are what the table holds are not written again, so that readers see that nothing moved."""
    files = data_files(table)
    differing = _differing(conn, table, select(table, files), rows)
    if not differing.num_rows:
        return Change()
    return Change(write_files(table, rows), files, _days_of(model, differing))


def _differing(conn: duckdb.DuckDBPyConnection, table: Table, held: str, rows: pa.Table) -> pa.Table:
    """The rows that only one side has, as often as it has them more than the other."""
    kinds = table.schema().as_arrow()
    names = [n for n in kinds.names if n in rows.schema.names]
    listed = ", ".join(map(quoted, names))
    conn.register("new_rows", rows.select(names).cast(pa.schema([pa.field(n, kinds.field(n).type) for n in names])))
    old, new = f"select {listed} from ({held})", f"select {listed} from new_rows"
    differing = conn.sql(f"(({old}) except all ({new})) union all (({new}) except all ({old}))").to_arrow_table()
    conn.unregister("new_rows")
    return differing


def _distinct(keys: pa.Table) -> pa.Table:
    return keys.group_by(keys.schema.names).aggregate([])


def _days_of(model: Model, rows: pa.Table) -> set[date]:
    if model.day_column is None:
        return set()
    days = pc.unique(pc.cast(rows.column(model.day_column), pa.date32()))
    return {day for day in days.to_pylist() if day is not None}


def _left(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, before: Table | None) -> set[date]:
    """The stale days that this run's range leaves for later."""
    stale = marks.stale_days(conn, model, before, invocation.dated_parents_of(model), invocation.first_day)
    return {day for day in stale if day not in invocation.day_range}


def _spec(model: Model, schema: pa.Schema) -> TableSpec:
    described = [
        pa.field(f.name, f.type, metadata={"doc": model.columns[f.name]} if model.columns.get(f.name) else None)
        for f in schema
    ]
    by_month = (("month", model.day_column),) if model.strategy == "days" and model.day_column else ()
    return TableSpec(
        model.identifier,
        pa.schema(described),
        partition_by=by_month,
        sort_by=model.natural_key or model.unique_key or ((model.day_column,) if by_month and model.day_column else ()),
        renamed=model.renamed,
        exact_bounds=tuple(k for k in model.unique_key if pa.types.is_string(schema.field(k).type)),
        description=model.description,
    )
