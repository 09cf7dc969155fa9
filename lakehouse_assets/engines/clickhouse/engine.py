"""The embedded ClickHouse engine (chDB): one statement in, one answer out.

Every statement gets its own connection, so that settings, roles and temporary tables of one never reach another, and
a slow query holds up nobody. Where it stops: HTTP is `http`'s, what a reader may say is `reader`'s.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lakehouse_assets.engines.clickhouse.reader import confine, guarded
from lakehouse_assets.engines.clickhouse.sql import literal, quoted

_CONFIG = """<clickhouse>
  <user_directories><users_xml><path>clickhouse/access.xml</path></users_xml></user_directories>
  <backups><allowed_path>{backups}</allowed_path></backups>
</clickhouse>
"""
# chDB knows only the user `default` and cannot impersonate another one, but a connection can give up its roles.
_ACCESS = """<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <roles>
    <owner><grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></owner>
    <reader><grants>
      <query>GRANT SELECT ON gold.*</query>
      <query>GRANT SELECT ON realtime.*</query>
    </grants></reader>
  </roles>
  <users><default>
    <no_password/><profile>default</profile><quota>default</quota><networks><ip>::1</ip></networks>
    <grants><query>GRANT owner, reader</query></grants>
  </default></users>
</clickhouse>
"""
_NAME = r"(?:`[^`]+`|\"[^\"]+\"|\w+)"
_INSERT = re.compile(
    rf"\s*INSERT\s+INTO\s+(?:TABLE\s+)?{_NAME}(?:\.{_NAME})?\s*(?:\([^()]*\)\s*)?FORMAT\s+(\w+)(?:\s|$)".encode(),
    re.IGNORECASE,
)
_CODE = re.compile(r"Code: (\d+)\.")
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EngineError(Exception):
    """ClickHouse's own error; `code` is its number, 0 where it named none."""

    def __init__(self, message: str) -> None:
        found = _CODE.search(message)
        self.code = int(found.group(1)) if found else 0
        super().__init__(message)


@dataclass(frozen=True)
class Statement:
    """`text` is SQL, and after `INSERT ... FORMAT x` the rows; rows may also come apart in `data`."""

    text: bytes
    data: bytes = b""
    format: str = "TabSeparated"
    database: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """`format` names the encoding of `body`, as far as the statement did not name one itself."""

    body: bytes
    format: str
    rows_read: int
    rows_written: int


class Engine:
    """The engine over `clickhouse/data`, relative to the working directory."""

    def __init__(self) -> None:
        base = Path("clickhouse")
        (base / "config.xml").write_text(_CONFIG.format(backups=escape(str((base / "backups").resolve()))))
        (base / "access.xml").write_text(_ACCESS)
        # Imported here: loading chDB takes a second and is only right under the owner's lock.
        self._chdb = importlib.import_module("chdb")
        # Held open: the engine ends with its last connection.
        self._anchor = self._chdb.connect("clickhouse/data?config-file=clickhouse/config.xml")
        # The owner may say anything, a reader only what these names do not reach.
        names = self._anchor.query("SELECT lower(name) FROM system.table_functions", "TSV").bytes()
        self._table_functions = frozenset(names.decode().split())

    def close(self) -> None:
        self._anchor.close()

    def run(self, statement: Statement, *, read_only: bool) -> Answer:
        """Raises EngineError for what ClickHouse refuses and `reader.Refused` for what a reader may not say."""
        try:
            with self._connection(statement, read_only) as conn:
                insert = None if read_only else _INSERT.match(statement.text)
                if insert:
                    return _insert(conn, statement, insert)
                return self._query(conn, statement, read_only)
        except (RuntimeError, self._chdb.ChdbError) as error:
            raise EngineError(str(error)) from error

    def _query(self, conn: Any, statement: Statement, read_only: bool) -> Answer:
        text, form = statement.text.decode(), statement.format
        if read_only:
            text, named = guarded(conn, text, self._table_functions)
            form = named or form
        result = conn.query(text, form, params=dict(statement.parameters))
        return Answer(result.bytes(), form, result.rows_read(), result.rows_written())

    @contextmanager
    def _connection(self, statement: Statement, read_only: bool) -> Iterator[Any]:
        conn = self._chdb.connect("clickhouse/data")
        try:
            if read_only:
                confine(conn)
            for name, value in statement.settings.items():
                if not _SETTING.fullmatch(name):
                    raise EngineError(f"Code: 115. DB::Exception: {name!r} is not a setting. (UNKNOWN_SETTING)")
                conn.query(f"SET {name} = {literal(value)}")
            if statement.database:
                conn.query(f"USE {quoted(statement.database)}")
            yield conn
        finally:
            conn.close()


def _insert(conn: Any, statement: Statement, found: re.Match[bytes]) -> Answer:
    head = statement.text[: found.start(1)].decode().rstrip()
    inserter = conn.send_insert(head[: -len("FORMAT")], found.group(1).decode())
    rows = statement.text[found.end() :] + statement.data
    if rows:
        inserter.append(rows)
    result = inserter.finish()
    return Answer(b"", statement.format, 0, result.rows_written)
