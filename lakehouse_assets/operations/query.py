"""One read-only SELECT over the lake: DuckDB over the Iceberg tables, or ClickHouse over gold.

DuckDB sees the data files of the tables that the statement names, and nothing else. Its statement type alone does not
make it read-only: a COPY inside WITH counts as a SELECT. Within `query()` the engine refuses that, and more than one
statement. Where it stops: what a table was at a point is `engines/iceberg/time_travel.py`'s, ClickHouse's lock
`engines/clickhouse/reader.py`'s; how rows are printed is the command's.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
from clickhouse_connect.driver.exceptions import ClickHouseError
from pyiceberg.catalog import Catalog

from lakehouse_assets.engines.clickhouse.client import connect as connect_clickhouse
from lakehouse_assets.engines.duckdb.session import literal, local_path, register_files
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.time_travel import Point, schema_at, snapshot_at
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput, Mendable
from lakehouse_assets.operations.outside import line

Engine = Literal["duckdb", "clickhouse"]
Row = tuple[Any, ...]

_FETCHED_AT_ONCE = 1000
_WORD = re.compile(r"\w+")
_MISSING_TABLE = re.compile(r"Table with name .* does not exist|UNKNOWN_TABLE|UNKNOWN_DATABASE")
_SERVER_PREFIX = re.compile(r".*?(?=Code: \d+\.)", re.DOTALL)


class Refused(BadInput):
    """The statement is not one SELECT over what there is; one line that says why."""


class QueryFailed(Mendable):
    """The engine could not run the statement, which may be right: memory, files."""


@dataclass(frozen=True)
class Answer:
    """`rows` are fetched as they are taken, while the session is open."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


def ask(
    platform: Platform, sql: str, engine: Engine = "duckdb", at: Point | None = None
) -> AbstractContextManager[Answer]:
    """The answer to one SELECT, over what every table that it names was at a point.

    Entering it, or taking its rows, raises Refused, UnknownSnapshot or QueryFailed."""
    if engine == "duckdb":
        return _ask_duckdb(platform, sql, at)
    if at is not None:
        raise Refused("gold is as it is now; ask the mart in the lake for what was: --engine duckdb")
    return _ask_clickhouse(platform, sql)


@contextmanager
def _ask_duckdb(platform: Platform, sql: str, at: Point | None) -> Iterator[Answer]:
    catalog = platform.open_catalog()
    known = _identifiers(catalog)
    paths: list[str] = []
    with platform.open_duckdb() as conn, tempfile.TemporaryDirectory(prefix="lakehouse-query-") as spill:
        try:
            _require_select(conn, sql)
            names = _named(sql, known) if at is None else _named_in_full(sql, known)
            paths += _register(conn, catalog, names, at)
            _lock(conn, paths, spill)
            cursor = conn.execute(f"from query({literal(sql)})")
            yield Answer(_unique([d[0] for d in cursor.description]), _fetched(cursor))
        except duckdb.Error as error:
            if isinstance(error, duckdb.OperationalError) or _names_one(str(error), paths):
                raise QueryFailed(line(_one_line(str(error)))) from error
            raise Refused(_explained(_one_line(str(error)), known)) from error


@contextmanager
def _ask_clickhouse(platform: Platform, sql: str) -> Iterator[Answer]:
    with connect_clickhouse(platform.home, read_only=True) as client:
        try:
            result = client.query(sql)
            yield Answer(_unique(result.column_names), (tuple(row) for row in result.result_rows))
        except ClickHouseError as error:
            message = _one_line(_SERVER_PREFIX.sub("", str(error), count=1))
            gold = client.query("SELECT database || '.' || name FROM system.tables WHERE database = 'gold' ORDER BY 1")
            raise Refused(_explained(message, [name for (name,) in gold.result_rows])) from error


def _require_select(conn: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = conn.extract_statements(sql)
    if len(statements) != 1:
        raise Refused(f"one SELECT is wanted, these are {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise Refused(f"only a SELECT can be asked, this is {statements[0].type.name}: query is read-only")


def _named(sql: str, known: Sequence[str]) -> list[str]:
    """The tables that the text may mean: it decides which views are made, not what is allowed."""
    words = {word.lower() for word in _WORD.findall(sql)}
    return [name for name in known if name.split(".")[1] in words]


def _named_in_full(sql: str, known: Sequence[str]) -> list[str]:
    """The tables that the text names as `layer.table`: each of them must have been there at the point."""

    def pattern(name: str) -> str:
        return r"(?<!\w)" + r'"?\s*\.\s*"?'.join(map(re.escape, name.split("."))) + r"(?!\w)"

    return [name for name in known if re.search(pattern(name), sql, re.IGNORECASE)]


def _register(conn: duckdb.DuckDBPyConnection, catalog: Catalog, names: Sequence[str], at: Point | None) -> list[str]:
    """Makes a view per table, with the columns that it had; the paths of their data files."""
    paths = []
    for name in names:
        table = catalog.load_table(name)
        snapshot = snapshot_at(table, at) if at is not None else None
        files = data_files(table, snapshot_id=snapshot.snapshot_id if snapshot is not None else None)
        register_files(conn, name, table, files, schema_at(table, snapshot) if snapshot is not None else None)
        paths += [local_path(f.file_path) for f in files]
    return paths


def _lock(conn: duckdb.DuckDBPyConnection, paths: Sequence[str], spill: str) -> None:
    conn.execute(f"set temp_directory = {literal(spill)}")
    conn.execute("set python_enable_replacements = false")
    conn.execute("set preserve_insertion_order = true")
    conn.execute(f"set allowed_paths = [{', '.join(map(literal, paths))}]")
    conn.execute("set enable_external_access = false")
    conn.execute("set lock_configuration = true")


def _identifiers(catalog: Catalog) -> list[str]:
    return sorted(".".join(name) for space in catalog.list_namespaces() for name in catalog.list_tables(space))


def _fetched(cursor: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    while rows := cursor.fetchmany(_FETCHED_AT_ONCE):
        yield from rows


def _names_one(message: str, paths: Sequence[str]) -> bool:
    """Whether it is about a data file, which is then damaged."""
    return any(path in message for path in paths)


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Column names of which none comes twice: `a`, `a_1`."""
    found: list[str] = []
    for name in names:
        again, n = name, 0
        while again in found:
            n += 1
            again = f"{name}_{n}"
        found.append(again)
    return tuple(found)


def _explained(message: str, known: Sequence[str]) -> str:
    if not _MISSING_TABLE.search(message):
        return message
    return f"{message} There are: {', '.join(known) or 'no tables yet; run `lakehouse demo`'}"


def _one_line(message: str) -> str:
    return " ".join(message.partition("\nLINE ")[0].split())
