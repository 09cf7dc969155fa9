"""Which of its own rows a satellite has to look at, and to give up, because a table was truncated.

A truncate is a row of each key that changed since the truncate before it, so that its rows are never more than the
changes. The newest truncate therefore reaches back to the one before; one that came late, or a rebuilt day, moves what
the later ones reach. The end of a complete snapshot reaches no key that the snapshot shows: a change at or below it
that comes later moves what it reaches. Where it stops: the rows themselves are made by the macro `truncated`.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
from pyiceberg.expressions import GreaterThan, IsNull
from pyiceberg.table import Table

from lakehouse_assets.engines.debezium.position import is_end, place
from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg.scan import data_files

POSITION = "change_position"


@dataclass(frozen=True)
class Reach:
    """The model's rows at a position beyond `above` are read, none where it is None; those at `void` are made anew."""

    above: str | None = None
    void: tuple[str, ...] = ()


def key_of(changes: Table) -> str:
    """The column that is null of truncates alone, so that null counts prune the files without any."""
    return changes.schema().find_column_name(changes.sort_order().fields[0].source_id) or ""


def reach(conn: duckdb.DuckDBPyConnection, changes: Table, mark: int, is_rebuilt: bool) -> Reach:
    """What the truncates of a `*_changes` table ask of a model that has read it through `mark`."""
    files = data_files(changes, IsNull(key_of(changes)))
    if not files:
        return Reach()
    source = f"select {quoted(POSITION)}, load_sequence > ? from ({select(changes, files)}) where op = 't' order by 1"
    found = conn.execute(source, [mark]).fetchall()
    known = tuple(position for position, _ in found)
    new = [position for position, is_new in found if is_new]
    if known and (
        is_rebuilt or (new and new[0] < known[-1]) or _moves_an_end(conn, changes, mark, set(known) - set(new))
    ):
        return Reach("", known)
    return Reach(max((p for p, is_new in found if not is_new), default="")) if new else Reach()


def _moves_an_end(conn: duckdb.DuckDBPyConnection, changes: Table, mark: int, read: set[str]) -> bool:
    """Whether a change that is new lies at or below the end of a snapshot that the model has read before."""
    ends = [position for position in read if is_end(position)]
    if not ends:
        return False
    files = data_files(changes, GreaterThan("load_sequence", mark))
    source = f"select min({quoted(POSITION)}) from ({select(changes, files)}) where load_sequence > ?"
    [(lowest,)] = conn.execute(source, [mark]).fetchall()
    return lowest is not None and place(lowest) <= place(max(ends))
