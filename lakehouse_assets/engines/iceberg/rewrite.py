"""Replaces rows by key, copy-on-write: the files that hold a touched key are read and written, no other.

Statistics name the candidates, the key columns of the candidates name the files, and only those are rewritten.
Where it stops: which rows take the place of the old ones, and the commit, are the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, In, LessThanOrEqual
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg.commit import write_files
from lakehouse_assets.engines.iceberg.scan import data_files

IN_LIMIT = 200
"""PyIceberg tests a set against statistics only up to this size; larger sets are tested by their range."""

FLUSH_ROWS = 1_000_000


@dataclass(frozen=True)
class Match:
    """`files` hold at least one of `keys`; `rows` are those rows, with all columns of the table."""

    files: list[DataFile]
    keys: pa.Table
    rows: pa.Table


def candidates(table: Table, keys: pa.Table, narrowed: BooleanExpression | None = None) -> list[DataFile]:
    """The files that may hold a row of `keys`, by partition and column statistics; none is opened."""
    if keys.num_rows == 0:
        return []
    prune: BooleanExpression = narrowed or AlwaysTrue()
    for name in keys.schema.names:
        prune = And(prune, _bounds(name, keys.column(name)))
    return data_files(table, prune)


def match(
    conn: duckdb.DuckDBPyConnection,
    table: Table,
    keys: pa.Table,
    narrowed: BooleanExpression | None = None,
) -> Match:
    """The rows of the table whose key columns equal a row of `keys`, and the files that hold them.

    `keys` has the key columns under the table's names. `narrowed` is what the caller knows beyond the keys' ranges.
    """
    if keys.num_rows == 0 or table.current_snapshot() is None:
        return Match([], keys, table.schema().as_arrow().empty_table())
    conn.register("touched_keys", keys)
    holding = [f for f in candidates(table, keys, narrowed) if _holds(conn, table, f, keys.schema.names)]
    rows = conn.sql(
        f"select t.* from ({select(table, holding)}) t semi join touched_keys k on {_same(keys.schema.names)}"
    ).to_arrow_table()
    conn.unregister("touched_keys")
    return Match(holding, keys, rows)


def replace(conn: duckdb.DuckDBPyConnection, table: Table, found: Match, rows: pa.Table) -> list[DataFile]:
    """Writes what the matched files hold beside the keys, together with `rows`; a commit then swaps them in."""
    written: list[DataFile] = []
    waiting: list[pa.Table] = [_typed(table, rows)]
    for file in found.files:
        waiting.append(_typed(table, _survivors(conn, table, file, found.keys)))
        if sum(w.num_rows for w in waiting) >= FLUSH_ROWS:
            written += write_files(table, pa.concat_tables(waiting, promote_options="default"))
            waiting = []
    return written + (write_files(table, pa.concat_tables(waiting, promote_options="default")) if waiting else [])


def absent(
    conn: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table, key: Sequence[str], also: Sequence[str] = ()
) -> pa.Table:
    """The rows whose key no row of the table has. Only the key columns of the candidate files are read.

    `also` are columns that follow from the key: their values narrow the candidates further.
    """
    if rows.num_rows == 0 or table.current_snapshot() is None:
        return rows
    source = select(table, candidates(table, rows.select([*key, *also])))
    conn.register("offered_rows", rows)
    new = conn.sql(f"select k.* from offered_rows k anti join ({source}) t on {_same(key)}").to_arrow_table()
    conn.unregister("offered_rows")
    return new


def _survivors(conn: duckdb.DuckDBPyConnection, table: Table, file: DataFile, keys: pa.Table) -> pa.Table:
    conn.register("touched_keys", keys)
    kept = conn.sql(
        f"select t.* from ({select(table, [file])}) t anti join touched_keys k on {_same(keys.schema.names)}"
    ).to_arrow_table()
    conn.unregister("touched_keys")
    return kept


def _holds(conn: duckdb.DuckDBPyConnection, table: Table, file: DataFile, names: Sequence[str]) -> bool:
    source = select(table, [file])
    found = conn.execute(f"select 1 from ({source}) t semi join touched_keys k on {_same(names)} limit 1").fetchall()
    return bool(found)


def _same(names: Sequence[str]) -> str:
    return " and ".join(f"t.{quoted(n)} is not distinct from k.{quoted(n)}" for n in names)


def _typed(table: Table, rows: pa.Table) -> pa.Table:
    schema = table.schema().as_arrow()
    present = pa.schema([pa.field(f.name, f.type, f.nullable) for f in schema if f.name in rows.schema.names])
    return rows.select(present.names).cast(present)


def _bounds(name: str, values: pa.ChunkedArray) -> BooleanExpression:
    if values.null_count:
        return AlwaysTrue()
    distinct = pc.unique(values)
    if len(distinct) <= IN_LIMIT:
        return In(name, [_plain(v) for v in distinct.to_pylist()])
    span = pc.min_max(values)
    return And(
        GreaterThanOrEqual(name, _plain(span["min"].as_py())), LessThanOrEqual(name, _plain(span["max"].as_py()))
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
