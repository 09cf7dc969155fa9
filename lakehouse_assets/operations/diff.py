"""What became of a table's rows between two points: which keys were added, changed and removed.

Only the files that one of the two snapshots has and the other has not are read: what both name is equal. Columns are
compared by field id, as far as both snapshots have them; when a row was written is no difference.
Where it stops: values are not shown, `query` reads them at either point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.dbt.project import Project
from lakehouse_assets.engines.duckdb.session import literal, quoted, select
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.time_travel import Point, schema_at, snapshot_at
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput
from lakehouse_assets.operations.history import Version, open_table, version
from lakehouse_assets.operations.query import Refused, ask
from lakehouse_assets.silver import schema
from lakehouse_assets.vault import manifest

WHEN_WRITTEN = frozenset({"load_sequence", "updated_at", "rejected_at"})
"""Bookkeeping, where neither a contract nor a key names such a column."""

_PLACE = ("topic", "partition", "offset")
_UNIQUE = ("unique", "keys_are_unique")


class NotAKey(BadInput):
    """The columns do not identify a row; the message says what does or could."""


@dataclass(frozen=True)
class Diff:
    """`rows` are `(change, *key, columns)`, columns as one text; `new_columns` and `gone_columns` are not compared.

    They are fetched as they are taken, while the session is open."""

    table: str
    before: Version
    after: Version
    key: tuple[str, ...]
    new_columns: tuple[str, ...]
    gone_columns: tuple[str, ...]
    counts: dict[str, int]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def diff(
    platform: Platform,
    identifier: str,
    start: Point,
    end: Point,
    key: Sequence[str] = (),
    days: tuple[str, date, date] | None = None,
) -> Iterator[Diff]:
    """What `end` holds otherwise than `start`; a row without a key of the table is its own key. With `days`, a column
    and its first and last day, no other rows are looked at.

    Raises UnknownTable, UnknownSnapshot, NotAKey."""
    table = open_table(platform.open_catalog(), identifier)
    sides = snapshot_at(table, start), snapshot_at(table, end)
    then, now = (schema_at(table, s) for s in sides)
    both = _shared(then, now)
    names = [f.name for f in both.fields]
    given = tuple(key) or tuple(k for k in key_of(identifier) if k in names)
    if missing := [k for k in given if k not in names]:
        raise NotAKey(f"{identifier} has no column {missing[0]!r} at both points; there are {', '.join(names)}")
    with platform.open_duckdb() as conn:
        _register(conn, table, sides, both, days)
        compared = [n for n in names if n not in given and n not in _bookkeeping(identifier)]
        if given:
            _require_unique(conn, identifier, given)
            conn.execute(f"create temp table differences as {_keyed(given, compared)}")
        else:
            conn.execute(f"create temp table differences as {_whole(compared)}")
        found = conn.execute("select change, count(*) from differences group by 1").fetchall()
        held = {f.field_id for f in both.fields}
        yield Diff(
            identifier,
            version(sides[0]),
            version(sides[1]),
            key=given or tuple(compared),
            new_columns=tuple(f.name for f in now.fields if f.field_id not in held),
            gone_columns=tuple(f.name for f in then.fields if f.field_id not in held),
            counts={"added": 0, "changed": 0, "removed": 0, **dict(found)},
            rows=_fetched(conn.execute("select * from differences order by all")),
        )


def metric(platform: Platform, identifier: str, expression: str, at: Point) -> Any:
    """An SQL expression over the table as it was, such as `sum(balance)`. Raises Refused where it is not one value."""
    with ask(platform, f"select {expression} from {quoted(identifier)}", at=at) as answer:
        rows = [*answer.rows]
    if len(rows) != 1 or len(rows[0]) != 1:
        raise Refused(f"a metric is one value, such as count(*); {expression!r} is {len(rows)} rows")
    return rows[0][0]


def key_of(identifier: str, project: Project | None = None) -> tuple[str, ...]:
    """The columns that identify a row of the table, as its declaration says; none where it does not."""
    if identifier == schema.REJECTS:
        return ("table", *_PLACE, "rule")
    for contract in tables():
        if identifier == f"bronze.{contract.id}":
            return _PLACE
        if identifier == schema.current_name(contract):
            return contract.key
        if identifier == schema.changes_name(contract):
            return (*contract.key, "change_position")
    model = (project or manifest.project()).models.get(identifier)
    return _tested(project or manifest.project(), model.unique_id) if model is not None else ()


def _tested(project: Project, unique_id: str) -> tuple[str, ...]:
    """The columns of the model's first test that says they are unique."""
    for node in project.manifest["nodes"].values():
        test = node.get("test_metadata") or {}
        if node.get("attached_node") == unique_id and test.get("name") in _UNIQUE:
            said = test["kwargs"]
            return tuple(said.get("columns") or [said["column_name"]])
    return ()


def _bookkeeping(identifier: str) -> frozenset[str]:
    """A source may have a column of such a name."""
    own = (t for t in tables() if identifier in (schema.current_name(t), schema.changes_name(t)))
    return WHEN_WRITTEN - {c.name for t in own for c in t.columns}


def _shared(then: Schema, now: Schema) -> Schema:
    """The columns of both, with the names and types of the later schema, which are never narrower."""
    earlier, later = sorted((then, now), key=lambda s: s.schema_id)
    held = {f.field_id for f in earlier.fields}
    return Schema(*(f for f in later.fields if f.field_id in held))


def _register(
    conn: duckdb.DuckDBPyConnection,
    table: IcebergTable,
    sides: tuple[Snapshot, Snapshot],
    both: Schema,
    days: tuple[str, date, date] | None,
) -> None:
    """The views `before` and `after`, of the files that only one side has."""
    then, now = ({f.file_path: f for f in data_files(table, snapshot_id=s.snapshot_id)} for s in sides)
    for name, own, other in (("before", then, now), ("after", now, then)):
        alone = [f for path, f in own.items() if path not in other]
        conn.execute(f"create temp view {name} as select * from ({select(table, alone, both)}) where {within(days)}")


def within(days: tuple[str, date, date] | None) -> str:
    """The condition in DuckDB's words."""
    if days is None:
        return "true"
    column, first, last = days
    return f"cast({quoted(column)} as date) between date '{first.isoformat()}' and date '{last.isoformat()}'"


def _require_unique(conn: duckdb.DuckDBPyConnection, identifier: str, key: Sequence[str]) -> None:
    columns = ", ".join(map(quoted, key))
    for side in ("before", "after"):
        doubled = conn.execute(f"select {columns} from {side} group by all having count(*) > 1 limit 1").fetchone()
        if doubled is not None:
            raise NotAKey(f"{identifier}: several rows have the same {', '.join(key)}; name a key by --key")


def _keyed(key: Sequence[str], compared: Sequence[str]) -> str:
    same = " and ".join(f"b.row.{quoted(k)} is not distinct from a.row.{quoted(k)}" for k in key)
    keys = ", ".join(f"coalesce(a.row.{quoted(k)}, b.row.{quoted(k)}) as {quoted(k)}" for k in key)
    other = ", ".join(
        f"case when b.row.{quoted(c)} is distinct from a.row.{quoted(c)} then {literal(c)} end" for c in compared
    )
    columns = f"case when a.row is not null and b.row is not null then concat_ws(', ', {other or 'null'}) end"
    return f"""
        select * from (
          select case when b.row is null then 'added' when a.row is null then 'removed' else 'changed' end as change,
            {keys}, {columns} as changed_columns
          from ({_rows("before")}) b full join ({_rows("after")}) a on {same})
        where change <> 'changed' or changed_columns <> ''"""


def _rows(view: str) -> str:
    """Each row as one value; no column can have such a name."""
    return f'select "the row" as row from {view} "the row"'


def _whole(compared: Sequence[str]) -> str:
    columns = ", ".join(map(quoted, compared))
    return f"""
        select 'added' as change, *, null::varchar as changed_columns
        from (select {columns} from after except all select {columns} from before)
        union all
        select 'removed', *, null from (select {columns} from before except all select {columns} from after)"""


def _fetched(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(1000):
        yield from rows
