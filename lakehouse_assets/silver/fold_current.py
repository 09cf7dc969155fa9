"""Folds `<table>_changes` into the table of current rows: the latest change per key, deleted keys left out.

1. Take the changes that commits after the mark wrote (`load_sequence`), a bounded number of rows a commit, and the
   latest of each key among them.
2. A key with a late change, or one whose change a rebuild lost, is judged against all its changes, deletes included.
3. A truncate removes every key of lower position, and remembers its position for changes that arrive later.
4. Rewrite the files that hold a key whose row differs, in one commit with the mark.

Where it stops: changes come typed and ordered from `fold_changes`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa
from pyiceberg.expressions import And, GreaterThan, LessThanOrEqual
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted, register_files
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import LOAD_SEQUENCE, commit, discard, marks, next_sequence
from lakehouse_assets.engines.iceberg.progress import moved
from lakehouse_assets.engines.iceberg.scan import data_files, sequence_of
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import ensure, load
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.bronze_slice import SLICE_ROWS
from lakehouse_assets.silver.current_sql import differing_sql, latest_sql
from lakehouse_assets.silver.lost_keys import lost_keys

THROUGH = "lakehouse.through"
TRUNCATED = "lakehouse.truncated-position"
SEEN = "lakehouse.seen-position"
VIOLATIONS = "lakehouse.violations"


def fold_current(platform: Platform, table: Table) -> int:
    """Brings the current table up to its changes; returns how many rows of keys it wrote or removed.

    Raises Conflict where other writers kept committing.
    """
    done: list[int] = []
    settled(lambda: _drain(platform, table, done))
    return sum(done)


def is_folded(platform: Platform, table: Table) -> bool:
    """Whether the current table has folded all that its changes hold."""
    catalog = platform.open_catalog()
    current, changes = load(catalog, schema.current_name(table)), load(catalog, schema.changes_name(table))
    return current is not None and changes is not None and not moved(changes, through(current, changes))


def through(current: IcebergTable, changes: IcebergTable) -> int:
    """The number of the changes' snapshot that the current table has folded."""
    return int(json.loads(marks(current).get(THROUGH, "{}")).get(".".join(changes.name()), 0))


def violations(marks_of_current: Mapping[str, str]) -> Counter[str]:
    """How many current rows break each claim."""
    return Counter(json.loads(marks_of_current.get(VIOLATIONS, "{}")))


def _drain(platform: Platform, table: Table, done: list[int]) -> None:
    catalog = platform.open_catalog()
    current = ensure(catalog, schema.current(table))
    changes = load(catalog, schema.changes_name(table))
    if changes is None or not moved(changes, through(current, changes)):
        return
    conn = platform.open_duckdb()
    for upper in _uppers(conn, changes, through(current, changes)):
        done.append(_fold(conn, table, changes, catalog.load_table(schema.current_name(table)), upper))


def _uppers(conn: duckdb.DuckDBPyConnection, changes: IcebergTable, mark: int) -> Iterator[int]:
    """The load_sequences that end slices of about SLICE_ROWS rows; the last is the table's own number."""
    register_files(conn, "changed_files", changes, data_files(changes, GreaterThan("load_sequence", mark)))
    counts = conn.execute(f"""
        select load_sequence, count(*) from changed_files where load_sequence > {mark} group by 1 order by 1
        """).fetchall()
    waiting = 0
    for number, rows in counts[:-1]:
        waiting += rows
        if waiting >= SLICE_ROWS:
            yield number
            waiting = 0
    yield sequence_of(changes)


def _fold(
    conn: duckdb.DuckDBPyConnection, table: Table, changes: IcebergTable, current: IcebergTable, upper: int
) -> int:
    known = marks(current)
    mark, seen = through(current, changes), known.get(SEEN, "")
    slice_files = data_files(changes, And(GreaterThan("load_sequence", mark), LessThanOrEqual("load_sequence", upper)))
    register_files(conn, "changed_files", changes, slice_files)
    conn.execute(f"""
        create or replace temp view news as
        select * from changed_files where load_sequence > {mark} and load_sequence <= {upper}""")
    [(highest, newest)] = conn.execute(
        "select max(change_position), max(change_position) filter (op = 't') from news"
    ).fetchall()
    truncated = max(known.get(TRUNCATED, ""), newest or "")
    _judge(conn, table, changes, current, seen, truncated)

    names = ", ".join(quoted(n) for n in schema.current(table).schema.names if n != "load_sequence")
    rows = conn.sql(f"""
        select {names}, {next_sequence(current)}::bigint as load_sequence from differing where not is_gone
        """).to_arrow_table()
    differing = conn.sql(f"select {_keys(table)} from differing").to_arrow_table()
    found = rewrite.match(conn, current, differing)
    counts = violations(known)
    counts.update(_count(rows))
    counts.subtract(_count(found.rows))
    added = rewrite.replace(conn, current, found, rows)
    try:
        commit(
            current,
            summary={
                THROUGH: json.dumps({".".join(changes.name()): upper}),
                TRUNCATED: truncated,
                SEEN: max(seen, highest or ""),
                VIOLATIONS: json.dumps({claim: n for claim, n in sorted(counts.items()) if n}),
                LOAD_SEQUENCE: str(next_sequence(current)),
            },
            added=added,
            removed=found.files,
        )
    except Conflict:
        discard(current, added)
        raise
    return int(differing.num_rows)


def _judge(
    conn: duckdb.DuckDBPyConnection,
    table: Table,
    changes: IcebergTable,
    current: IcebergTable,
    seen: str,
    truncated: str,
) -> None:
    """`news` -> `differing`: the latest change of each key whose current row is another one, deletes included."""
    keys = _keys(table)
    mark = through(current, changes)
    conn.register("lost", lost_keys(conn, table, changes, current, mark))
    conn.execute(
        f"""
        create or replace temp table suspects as
        select {keys} from news where op != 't' and change_position <= $seen union select {keys} from lost""",
        {"seen": seen},
    )
    suspects = conn.sql("select * from suspects").to_arrow_table()
    conn.register("history", rewrite.match(conn, changes, suspects).rows)
    conn.execute(latest_sql(table))
    touched = conn.sql(f"select {keys} from latest union select {keys} from suspects").to_arrow_table()
    conn.register("held", rewrite.match(conn, current, touched).rows)
    below = data_files(current, LessThanOrEqual("change_position", truncated)) if truncated else []
    register_files(conn, "below_files", current, below)
    conn.execute(differing_sql(table), {"truncated": truncated, "mark": mark})


def _count(rows: pa.Table) -> Counter[str]:
    return Counter(claim for row in rows.column("violations").to_pylist() for claim in row or ())


def _keys(table: Table) -> str:
    return ", ".join(quoted(k) for k in table.key)
