"""The current fold on Spark's executors: the same SQL as in one process, a range of keys a task.

1. A task for each file of the slice cuts its changes into ranges of the key.
2. A task for each range judges its keys, writes the new rows, and tells which files hold the old ones. Current tables
   are sorted by key, so that a range reads its own part of them.
3. A task for each of those files writes what is left of it.

Safety: tasks only write files. The commit is the caller's, one snapshot over the version that was read; files of a task
that was run twice, or of a fold that failed, are named by nothing, and `orphans` removes them.
Where it stops: what concerns no key (marks, truncates, keys that a rebuild lost) is found before, by the caller.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import connect, quoted, register_files, select
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import write_files
from lakehouse_assets.engines.spark.handle import Handle, from_bytes, to_bytes
from lakehouse_assets.silver.current_slice import Judged, Slice, Written, net

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Judge = Callable[[duckdb.DuckDBPyConnection, Table, IcebergTable, IcebergTable, Slice, str], Judged]

_SAMPLE = 10_000
_RANGES_PER_CORE = 2

IN_RANGE = """coalesce({key} >= (select low from bounds), true) and coalesce({key} < (select high from bounds), true)"""
"""Of a row, that its key is in the session's `bounds`; an end that is null is open."""


@dataclass(frozen=True)
class _Job:
    """What every task is told; `bounds` are the ends of the ranges between the first and the last."""

    table: Table
    changes: Handle
    current: Handle
    part: Slice
    judge: Judge
    bounds: pa.Array
    memory_limit: str

    def connect(self) -> duckdb.DuckDBPyConnection:
        return connect(self.memory_limit, threads=1, storage=self.current.storage)

    @property
    def ranges(self) -> int:
        return len(self.bounds) + 1

    @property
    def in_range(self) -> str:
        return IN_RANGE.format(key=quoted(self.table.key[0]))

    def enter(self, conn: duckdb.DuckDBPyConnection, number: int) -> None:
        """Makes `bounds` those of a range."""
        ends = pa.concat_arrays([pa.nulls(1, self.bounds.type), self.bounds, pa.nulls(1, self.bounds.type)])
        conn.register("bounds", pa.table({"low": ends[number : number + 1], "high": ends[number + 1 : number + 2]}))


@dataclass(frozen=True)
class _Range:
    """Of one range: the files that were written, those that hold old rows of `keys`, and the net of broken claims."""

    added: list[DataFile]
    holding: list[DataFile]
    keys: bytes
    count: int
    violations: Counter[str]


def write(
    spark: SparkSession,
    memory_limit: str,
    judge: Judge,
    conn: duckdb.DuckDBPyConnection,
    table: Table,
    changes: IcebergTable,
    current: IcebergTable,
    part: Slice,
    files: Sequence[DataFile],
) -> Written:
    """`news` of the session, which `files` of the changes hold, as files of the current table; nothing is committed.

    `memory_limit` is that of a task's DuckDB.
    """
    context = spark.sparkContext
    bounds = _bounds(conn, table, context.defaultParallelism * _RANGES_PER_CORE)
    job = _Job(table, Handle.of(changes), Handle.of(current), part, judge, bounds, memory_limit)
    # A key that a truncate or a rebuild took may be of a range without news.
    nothing = to_bytes(conn.sql(select(changes, [])).to_arrow_table())
    every = context.parallelize([(number, nothing) for number in range(job.ranges)], 1)
    pieces = context.parallelize(files, max(len(files), 1)).flatMap(partial(_cut, job)).union(every)
    done: list[_Range] = pieces.groupByKey(job.ranges).map(partial(_judge, job)).collect()
    removed = {file.file_path: file for each in done for file in each.holding}
    keys: dict[str, list[bytes]] = defaultdict(list)
    for each in done:
        for file in each.holding:
            keys[file.file_path].append(each.keys)
    touched = [(file, keys[path]) for path, file in removed.items()]
    left: list[DataFile] = context.parallelize(touched, max(len(touched), 1)).flatMap(partial(_rest, job)).collect()
    violations: Counter[str] = Counter()
    for each in done:
        violations.update(each.violations)
    added = [file for each in done for file in each.added]
    return Written([*added, *left], list(removed.values()), sum(each.count for each in done), violations)


def _bounds(conn: duckdb.DuckDBPyConnection, table: Table, wanted: int) -> pa.Array:
    """Values of the key's first column that cut the news into about as many ranges, by a sample of them."""
    key = quoted(table.key[0])
    held = conn.sql(f"""
        select distinct {key} from (
          select {key} from news where {key} is not null using sample reservoir({_SAMPLE} rows) repeatable (1))
        order by 1""").to_arrow_table()
    values = held.column(0).combine_chunks()
    places = sorted({len(values) * n // wanted for n in range(1, wanted)} - {0})
    return values.take(pa.array(places, pa.int64()))


def _cut(job: _Job, file: DataFile) -> Iterator[tuple[int, bytes]]:
    with job.connect() as conn:
        register_files(conn, "changed_files", job.changes.open(), [file])
        for number in range(job.ranges):
            job.enter(conn, number)
            rows = conn.sql(
                f"select * from changed_files where {job.part.of_news} and op != 't' and {job.in_range}"
            ).to_arrow_table()
            yield number, to_bytes(rows)


def _judge(job: _Job, piece: tuple[int, Iterable[bytes]]) -> _Range:
    number, streams = piece
    current = job.current.open()
    with job.connect() as conn:
        job.enter(conn, number)
        conn.register("news", from_bytes(streams))
        judged = job.judge(conn, job.table, job.changes.open(), current, job.part, job.in_range)
        added = write_files(current, judged.rows)
        found = judged.found
        return _Range(added, found.files, to_bytes(found.keys), found.keys.num_rows, net(judged.rows, found.rows))


def _rest(job: _Job, touched: tuple[DataFile, list[bytes]]) -> list[DataFile]:
    file, keys = touched
    current = job.current.open()
    with job.connect() as conn:
        return rewrite.replace(conn, current, rewrite.Match([file], from_bytes(keys), _none(current)), _none(current))


def _none(table: IcebergTable) -> pa.Table:
    return table.schema().as_arrow().empty_table()
