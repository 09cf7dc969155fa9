"""DuckDB views over the Iceberg tables that the models and tests of one invocation read.

`layer.table` is the whole table. `layer__<kind>__<model>.table` is what one model reads of a parent: its `slice` since
the model's mark, the rows of the run's `days`, or the `truncates`; of its own table, what new truncates reach of the
rows that it `held`, and what its tests have yet to pass, the `untested` rows. Each is planned, so that files that
cannot hold such rows are not opened.
Where it stops: nothing is written.
"""

from __future__ import annotations

from datetime import date

import duckdb
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThan, GreaterThanOrEqual, In, LessThan
from pyiceberg.table import Table
from pyiceberg.types import DateType

from lakehouse_assets.engines.dbt.invocation import DayRange, Invocation
from lakehouse_assets.engines.dbt.marks import day_column, is_of_other_code, rebuilt_days, through
from lakehouse_assets.engines.dbt.project import Model
from lakehouse_assets.engines.dbt.truncates import POSITION, Reach, reach, truncate_files
from lakehouse_assets.engines.duckdb.session import literal, quoted, register_files, select
from lakehouse_assets.engines.iceberg.progress import touched_days
from lakehouse_assets.engines.iceberg.scan import changed_since, data_files, sequence_of

CHANGES = "_changes"


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


def within(table: Table, column: str, days: DayRange) -> tuple[BooleanExpression, str]:
    """The rows of the days: as a filter over file statistics, and as a condition in SQL."""
    dated = isinstance(table.schema().find_field(column).field_type, DateType)
    end = date.fromordinal(days.last.toordinal() + 1)
    suffix = "" if dated else "T00:00:00+00:00"
    upper: BooleanExpression = LessThan(column, f"{end.isoformat()}{suffix}")
    lower = AlwaysTrue() if days.lowest == date.min else GreaterThanOrEqual(column, f"{days.first.isoformat()}{suffix}")
    day = f"cast({quoted(column)} as date)"
    bounds = [f"{day} <= date '{days.last.isoformat()}'"]
    if days.lowest != date.min:
        bounds.append(f"{day} >= date '{days.first.isoformat()}'")
    return And(lower, upper), " and ".join(bounds)


def _read_whole(model: Model, parent: str) -> bool:
    """Changes are read by slice or days alone: planning them whole would cost their whole metadata."""
    return model.strategy != "insert" and not parent.endswith(CHANGES)


def _make_whole(conn: duckdb.DuckDBPyConnection, invocation: Invocation, identifier: str) -> None:
    table = invocation.table(identifier)
    if table is not None:
        register_files(conn, identifier, table, data_files(table))


def _make_narrowed(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, parent: str) -> None:
    table = invocation.table(parent)
    if table is None:
        return
    if model.strategy == "days":
        _make_days(conn, model, parent, table, invocation.day_column_of(parent), invocation.day_range)
    elif model.strategy in ("insert", "replace"):
        mark = slice_mark(invocation, model, parent)
        _make_slice(conn, model, parent, table, mark)
        if parent.endswith(CHANGES):
            _view(conn, _name(model, "truncates", parent), select(table, truncate_files(table)), "op = 't'")
            if reached := reach_of(conn, invocation, model, parent):
                _make_held(conn, invocation, model, reached)


def slice_mark(invocation: Invocation, model: Model, parent: str) -> int:
    """Where the model's slice of a parent begins; 0 where it must be read from the beginning."""
    mark = through(invocation.table(model.identifier), model).get(parent, 0)
    return 0 if begins_anew(invocation, model) or _rebuilt(invocation, model) is None else mark


def begins_anew(invocation: Invocation, model: Model) -> bool:
    """Whether a model that replaces rows is built whole.

    One without days is where its SQL changed or rows of a parent were taken back; one with days only where those may
    be of any day.
    """
    if model.strategy != "replace":
        return False
    rebuilt = _rebuilt(invocation, model)
    if rebuilt is None or model.day_column is not None:
        return rebuilt is None
    return is_of_other_code(invocation.table(model.identifier), model) or bool(rebuilt)


def reach_of(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, parent: str) -> Reach | None:
    """What the parent's truncates ask of the model's own rows; None for a model that keeps none by key and day."""
    table = invocation.table(parent)
    if table is None or not parent.endswith(CHANGES) or model.strategy != "replace" or model.day_column is None:
        return None
    return reach(conn, table, slice_mark(invocation, model, parent), _rebuilt(invocation, model) != set())


def is_rebuilt(invocation: Invocation, model: Model) -> str:
    """The condition of the model's own rows that are void because a parent built their days anew.

    The first day stands for all days before it.
    """
    days = _rebuilt(invocation, model)
    if days is None:
        return "true"
    if not days or model.day_column is None:
        return "false"
    listed = ", ".join(f"date '{day.isoformat()}'" for day in sorted(days))
    first = invocation.first_day.isoformat()
    return f"greatest(cast({quoted(model.day_column)} as date), date '{first}') in ({listed})"


def _rebuilt(invocation: Invocation, model: Model) -> set[date] | None:
    return rebuilt_days(invocation.table(model.identifier), invocation.parents_of(model))


def _make_slice(conn: duckdb.DuckDBPyConnection, model: Model, parent: str, table: Table, mark: int) -> None:
    name = _name(model, "slice", parent)
    if mark == 0:
        _view(conn, name, select(table, data_files(table)), "true")
        return
    if "load_sequence" in table.schema().column_names:
        files = data_files(table, GreaterThan("load_sequence", mark))
        _view(conn, name, select(table, files), f"load_sequence > {mark}")
        return
    changed = changed_since(table, mark)
    _view(conn, name, select(table, data_files(table) if changed is None else changed), "true")


def _make_held(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, reached: Reach) -> None:
    own = invocation.table(model.identifier)
    name = _name(model, "held", model.identifier)
    if own is None or reached.above is None:
        _view(conn, name, "select " + ", ".join(f"null::varchar as {quoted(k)}" for k in model.unique_key), "false")
        return
    source = select(own, data_files(own, GreaterThan(POSITION, reached.above)))
    condition = f"{quoted(POSITION)} > {literal(reached.above)} and not {is_rebuilt(invocation, model)}"
    _view(conn, name, source, condition)


def _make_untested(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model) -> None:
    """A row of a model by day is new only in a day that a commit touched: the others passed before."""
    table = invocation.table(model.identifier)
    if table is None or model.strategy != "days" or model.day_column is None:
        return
    mark = invocation.tested.get(model.identifier)
    # A table that was made anew counts from one again.
    days = touched_days(table, mark) if mark is not None and mark <= sequence_of(table) else None
    name = _name(model, "untested", model.identifier)
    if days is None or invocation.first_day.isoformat() in days:  # the first day stands for all days before it
        _view(conn, name, select(table, data_files(table)), "true")
        return
    listed = ", ".join(f"date {literal(day)}" for day in sorted(days)) or "null"
    files = data_files(table, In(model.day_column, days))
    _view(conn, name, select(table, files), f"cast({quoted(model.day_column)} as date) in ({listed})")


def _make_days(
    conn: duckdb.DuckDBPyConnection, model: Model, parent: str, table: Table, column: str | None, days: DayRange
) -> None:
    prune, condition = within(table, column or day_column(table), days)
    _view(conn, _name(model, "days", parent), select(table, data_files(table, prune)), condition)


def _name(model: Model, kind: str, parent: str) -> str:
    layer, name = parent.split(".")
    return f"{layer}__{kind}__{model.name}.{name}"


def _view(conn: duckdb.DuckDBPyConnection, name: str, source: str, condition: str) -> None:
    conn.execute(f"create schema if not exists {quoted(name.split('.')[0])}")
    conn.execute(f"create or replace view {quoted(name)} as select * from ({source}) where {condition}")
