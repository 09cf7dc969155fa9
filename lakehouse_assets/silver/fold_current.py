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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import duckdb
from pyiceberg.expressions import And, GreaterThan, LessThanOrEqual
from pyiceberg.manifest import DataFile
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
from lakehouse_assets.silver import current_by_spark, schema
from lakehouse_assets.silver.bronze_slice import SLICE_ROWS
from lakehouse_assets.silver.current_slice import Judged, Slice, Written, net
from lakehouse_assets.silver.current_sql import differing_sql, latest_sql
from lakehouse_assets.silver.lost_keys import lost_keys

THROUGH = "lakehouse.through"
TRUNCATED = "lakehouse.truncated-position"
SEEN = "lakehouse.seen-position"
VIOLATIONS = "lakehouse.violations"

Write = Callable[[duckdb.DuckDBPyConnection, Table, IcebergTable, IcebergTable, Slice, Sequence[DataFile]], Written]
"""Judges the keys of `news` and writes what takes their rows' place."""


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
    write, rows = _writer(platform, table)
    for upper in _uppers(conn, changes, through(current, changes), rows):
        done.append(_fold(conn, write, table, changes, catalog.load_table(schema.current_name(table)), upper))


def _writer(platform: Platform, table: Table) -> tuple[Write, int]:
    """What judges and writes a slice, and of how many rows it should be: Spark takes one for each core at once."""
    open_spark = platform.spark(platform.refined_by, table.engine)
    if open_spark is None:
        return _write, SLICE_ROWS
    spark = open_spark()
    write = partial(current_by_spark.write, spark, platform.memory_limit, judge)
    return write, SLICE_ROWS * spark.sparkContext.defaultParallelism


def _uppers(conn: duckdb.DuckDBPyConnection, changes: IcebergTable, mark: int, rows: int) -> Iterator[int]:
    """The load_sequences that end slices of about so many rows; the last is the table's own number."""
    register_files(conn, "changed_files", changes, data_files(changes, GreaterThan("load_sequence", mark)))
    counts = conn.execute(f"""
        select load_sequence, count(*) from changed_files where load_sequence > {mark} group by 1 order by 1
        """).fetchall()
    waiting = 0
    for number, held in counts[:-1]:
        waiting += held
        if waiting >= rows:
            yield number
            waiting = 0
    yield sequence_of(changes)


def _fold(
    conn: duckdb.DuckDBPyConnection,
    write: Write,
    table: Table,
    changes: IcebergTable,
    current: IcebergTable,
    upper: int,
) -> int:
    known = marks(current)
    mark, seen = through(current, changes), known.get(SEEN, "")
    slice_files = data_files(changes, And(GreaterThan("load_sequence", mark), LessThanOrEqual("load_sequence", upper)))
    register_files(conn, "changed_files", changes, slice_files)
    whole = Slice(mark, upper, seen, known.get(TRUNCATED, ""))
    conn.execute(f"create or replace temp view news as select * from changed_files where {whole.of_news}")
    [(highest, newest)] = conn.execute(
        "select max(change_position), max(change_position) filter (op = 't') from news"
    ).fetchall()
    part = replace(whole, truncated=max(whole.truncated, newest or ""))
    written = write(conn, table, changes, current, part, slice_files)
    counts = violations(known)
    counts.update(written.violations)
    try:
        commit(
            current,
            summary={
                THROUGH: json.dumps({".".join(changes.name()): upper}),
                TRUNCATED: part.truncated,
                SEEN: max(seen, highest or ""),
                VIOLATIONS: json.dumps({claim: n for claim, n in sorted(counts.items()) if n}),
                LOAD_SEQUENCE: str(next_sequence(current)),
            },
            added=written.added,
            removed=written.removed,
        )
    except Conflict:
        discard(current, written.added)
        raise
    return written.keys


def _write(
    conn: duckdb.DuckDBPyConnection,
    table: Table,
    changes: IcebergTable,
    current: IcebergTable,
    part: Slice,
    _files: Sequence[DataFile],
) -> Written:
    """`news` as files of the current table, by this process."""
    judged = judge(conn, table, changes, current, part)
    added = rewrite.replace(conn, current, judged.found, judged.rows)
    return Written(added, judged.found.files, judged.found.keys.num_rows, net(judged.rows, judged.found.rows))


def judge(
    conn: duckdb.DuckDBPyConnection,
    table: Table,
    changes: IcebergTable,
    current: IcebergTable,
    part: Slice,
    mine: str = "true",
) -> Judged:
    """`news` -> the keys whose current row is not their latest change, deletes included. `mine` tells the keys that are
    judged, where `news` are not all."""
    keys = _keys(table)
    conn.register("lost", lost_keys(conn, table, changes, current, part.mark))
    conn.execute(
        f"""
        create or replace temp table suspects as
        select {keys} from news where op != 't' and change_position <= $seen
        union select {keys} from lost where {mine}""",
        {"seen": part.seen},
    )
    suspects = conn.sql("select * from suspects").to_arrow_table()
    conn.register("history", rewrite.match(conn, changes, suspects).rows)
    conn.execute(latest_sql(table))
    touched = conn.sql(f"select {keys} from latest union select {keys} from suspects").to_arrow_table()
    conn.register("held", rewrite.match(conn, current, touched).rows)
    below = data_files(current, LessThanOrEqual("change_position", part.truncated)) if part.truncated else []
    register_files(conn, "held_below", current, below)
    conn.execute(f"create or replace temp view below_files as select * from held_below where {mine}")
    conn.execute(differing_sql(table), {"truncated": part.truncated, "mark": part.mark})
    names = ", ".join(quoted(n) for n in schema.current(table).schema.names if n != "load_sequence")
    rows = conn.sql(f"""
        select {names}, {next_sequence(current)}::bigint as load_sequence from differing where not is_gone
        """).to_arrow_table()
    differing = conn.sql(f"select {keys} from differing").to_arrow_table()
    return Judged(rewrite.match(conn, current, differing), rows)


def _keys(table: Table) -> str:
    return ", ".join(quoted(k) for k in table.key)
