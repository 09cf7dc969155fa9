"""What a model reads of a table, and what its tests do: some rows of it, decided once for every engine.

Of a parent its `slice` since the model's mark, the rows of the run's `days`, or the `truncates`; of its own table, what
new truncates reach of the rows that it `held`, and the rows that its tests have yet to pass, the `untested` ones.
Where it stops: how rows are read is `views`' for DuckDB and `trino`'s for Trino.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import duckdb
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
)
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import DateType

from lakehouse_assets.engines.dbt.invocation import DayRange, Invocation
from lakehouse_assets.engines.dbt.marks import day_column, is_of_other_code, rebuilt_days, through
from lakehouse_assets.engines.dbt.project import Model
from lakehouse_assets.engines.dbt.truncates import POSITION, Reach, key_of, reach
from lakehouse_assets.engines.duckdb.session import literal, quoted
from lakehouse_assets.engines.iceberg.progress import touched_days
from lakehouse_assets.engines.iceberg.scan import changed_since, data_files, sequence_of

CHANGES = "_changes"

Kind = Literal["slice", "days", "truncates", "held", "untested"]


@dataclass(frozen=True)
class Rows:
    """The rows of a table that meet `condition`, which every engine understands in a session in UTC.

    No file that `prune` rules out holds one, nor any but `files` where these are known.
    """

    table: Table
    condition: str = "true"
    prune: BooleanExpression = field(default_factory=AlwaysTrue)
    files: tuple[DataFile, ...] | None = None

    def planned(self) -> list[DataFile]:
        """The files to open."""
        return data_files(self.table, self.prune) if self.files is None else list(self.files)


def narrowed(
    conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, kind: Kind, identifier: str
) -> Rows | None:
    """What the model reads of the table; None where that is nothing, or where the table does not exist."""
    table = invocation.table(identifier)
    if table is None:
        return None
    match kind:
        case "slice":
            return _slice(table, slice_mark(invocation, model, identifier))
        case "days":
            prune, condition = within(
                table, invocation.day_column_of(identifier) or day_column(table), invocation.day_range
            )
            return Rows(table, condition, prune)
        case "truncates":
            key = key_of(table)
            return Rows(table, f"{quoted(key)} is null and op = 't'", IsNull(key))
        case "held":
            return _held(conn, invocation, model, table)
        case "untested":
            return _untested(invocation, model, table)


def kinds_of(model: Model, parent: str) -> tuple[Kind, ...]:
    """What a model of its strategy may read of a parent."""
    if model.strategy == "days":
        return ("days",)
    if model.strategy == "full":
        return ()
    return ("slice", "truncates") if parent.endswith(CHANGES) else ("slice",)


def no_row(model: Model) -> str:
    """A relation with the columns of the model's unique key, which are texts, and no row."""
    columns = ", ".join(f"cast(null as varchar) as {quoted(k)}" for k in model.unique_key)
    return f"(select {columns}) as no_row where false"


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


def _slice(table: Table, mark: int) -> Rows:
    if mark == 0:
        return Rows(table)
    if "load_sequence" in table.schema().column_names:
        return Rows(table, f"load_sequence > {mark}", GreaterThan("load_sequence", mark))
    changed = changed_since(table, mark)
    return Rows(table, files=None if changed is None else tuple(changed))


def _held(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model, own: Table) -> Rows | None:
    """Of a model that reads several parents with truncates, the last one's reach counts."""
    reached = [r for p in model.parents if (r := reach_of(conn, invocation, model, p)) is not None]
    if not reached or reached[-1].above is None:
        return None
    above = reached[-1].above
    condition = f"{quoted(POSITION)} > {literal(above)} and not {is_rebuilt(invocation, model)}"
    return Rows(own, condition, GreaterThan(POSITION, above))


def _untested(invocation: Invocation, model: Model, table: Table) -> Rows:
    """A row of a model by day is new only in a day that a commit touched: the others passed before."""
    mark = invocation.tested.get(model.identifier)
    # A table that was made anew counts from one again.
    days = touched_days(table, mark) if mark is not None and mark <= sequence_of(table) else None
    if model.day_column is None or days is None or invocation.first_day.isoformat() in days:
        return Rows(table)  # the first day stands for all days before it
    listed = ", ".join(f"date {literal(day)}" for day in sorted(days)) or "null"
    return Rows(table, f"cast({quoted(model.day_column)} as date) in ({listed})", In(model.day_column, days))
