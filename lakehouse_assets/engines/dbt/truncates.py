"""Which of its own rows a satellite has to look at, and to give up, because a table was truncated.

A truncate is a row of each key that changed since the truncate before it, so that its rows are never more than the
changes. The newest truncate therefore reaches back to the one before; one that came late, or a rebuilt day, moves what
the later ones reach. Where it stops: the rows themselves are made by the macro `truncated`.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
from pyiceberg.expressions import IsNull
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg.scan import data_files

POSITION = "change_position"


@dataclass(frozen=True)
class Reach:
    """The model's rows at a position beyond `above` are read, none where it is None; those at `void` are made anew."""

    above: str | None = None
    void: tuple[str, ...] = ()


def truncate_files(changes: Table) -> list[DataFile]:
    """The files that may hold truncates: theirs is the one key that is null, so that null counts prune the others."""
    key = changes.schema().find_column_name(changes.sort_order().fields[0].source_id) or ""
    return data_files(changes, IsNull(key))


def reach(conn: duckdb.DuckDBPyConnection, changes: Table, mark: int, is_rebuilt: bool) -> Reach:
    """What the truncates of a `*_changes` table ask of a model that has read it through `mark`."""
    files = truncate_files(changes)
    if not files:
        return Reach()
    source = f"select {quoted(POSITION)}, load_sequence > ? from ({select(changes, files)}) where op = 't' order by 1"
    found = conn.execute(source, [mark]).fetchall()
    known = tuple(position for position, _ in found)
    new = [position for position, is_new in found if is_new]
    if known and (is_rebuilt or (new and new[0] < known[-1])):
        return Reach("", known)
    return Reach(max((p for p, is_new in found if not is_new), default="")) if new else Reach()
