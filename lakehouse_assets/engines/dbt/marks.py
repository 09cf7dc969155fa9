"""What a model has consumed, kept in its own table's snapshot summary.

A mark is the sequence number of the parent's snapshot that was read. The days that a date-grained model has yet to
build are those it left plus those its parents touched since. Where it stops: it reads metadata, and of a table's rows
at most their days.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date

import duckdb
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DateType

from lakehouse_assets.engines.dbt.project import InvalidModel, Model
from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg import progress
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, marks
from lakehouse_assets.engines.iceberg.progress import touched_days
from lakehouse_assets.engines.iceberg.scan import data_files

THROUGH = "lakehouse.through"
PENDING = "lakehouse.pending-days"
CODE = "lakehouse.code"


def through(table: Table | None, model: Model) -> dict[str, int]:
    """The mark per parent; none where nothing was consumed yet or the model's SQL has changed since."""
    kept = marks(table) if table is not None else {}
    return json.loads(kept.get(THROUGH, "{}")) if kept.get(CODE) == model.code else {}


def is_of_other_code(table: Table | None, model: Model) -> bool:
    """Whether the rows were made by other SQL than the model's present one."""
    return table is not None and marks(table).get(CODE, model.code) != model.code


def rebuilt_days(own: Table | None, parents: Mapping[str, Table]) -> set[date] | None:
    """The days that a parent built anew since the model read it: what came of them before is void.

    None where that may be any day: a parent was rolled back, or rebuilt so long ago that its snapshots have expired.
    """
    consumed = json.loads(marks(own).get(THROUGH, "{}")) if own is not None else {}
    days: set[date] = set()
    for identifier, parent in parents.items():
        found = progress.rebuilt_days(parent, consumed[identifier]) if identifier in consumed else set()
        if found is None:
            return None
        days.update(map(date.fromisoformat, found))
    return days


def stale_days(
    conn: duckdb.DuckDBPyConnection,
    model: Model,
    own: Table | None,
    parents: Mapping[str, tuple[Table, str | None]],
    first_day: date,
) -> set[date]:
    """The days that a date-grained model has yet to build. `parents` gives each parent's table and day column."""
    known = through(own, model)
    pending = json.loads(marks(own).get(PENDING, "[]")) if own is not None else []
    stale = set(map(date.fromisoformat, pending))
    for identifier, (table, column) in parents.items():
        touched = touched_days(table, known[identifier]) if identifier in known else None
        if touched is not None:
            stale.update(map(date.fromisoformat, touched))
            continue
        stale |= all_days(conn, table, column)
        if own is not None:
            # What retention dropped from the parent stays in the model.
            dropped = marks(table).get(DROPPED_THROUGH, date.min.isoformat())
            stale |= {day for day in all_days(conn, own, model.day_column) if day.isoformat() > dropped}
    return {max(day, first_day) for day in stale}


def all_days(conn: duckdb.DuckDBPyConnection, table: Table, column: str | None = None) -> set[date]:
    """Every day that the table has a row of."""
    day = f"cast({quoted(column or day_column(table))} as date)"
    source = select(table, data_files(table))
    found = conn.execute(f"select distinct {day} from ({source}) where {day} is not null").fetchall()
    return {row[0] for row in found}


def day_column(table: Table) -> str:
    """The date that a silver table is partitioned by. Raises InvalidModel where it is not by one."""
    for field in table.spec().fields:
        column = table.schema().find_field(field.source_id)
        if isinstance(field.transform, IdentityTransform) and isinstance(column.field_type, DateType):
            return column.name
    raise InvalidModel(f"{'.'.join(table.name())} has no days; name the model's day_column")


def iso(days: Iterable[date]) -> str:
    """Days as marks hold them."""
    return json.dumps(sorted(day.isoformat() for day in days))
