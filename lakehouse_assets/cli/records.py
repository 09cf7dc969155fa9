"""Lets Dagster's SQLite files keep up with a run in this process.

Dagster opens a file anew for each event, so that each close writes the log back and waits for the disk: a run of 900
events spent most of its time there. Held open and synchronised at checkpoints, a crash of the process loses nothing,
and a power cut at most the last events; tables and offsets are not kept there.
Where it stops: only files below the given folder, only this process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine


@contextmanager
def held_open(folder: Path) -> Iterator[None]:
    """While it lasts, every SQLite file below the folder that is opened stays open."""
    held: dict[Path, sqlite3.Connection] = {}

    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        path = _path_of(connection)
        if path is None or not path.is_relative_to(folder):
            return
        connection.execute("PRAGMA synchronous = NORMAL")
        if path not in held and connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            held[path] = sqlite3.connect(path, check_same_thread=False)
            held[path].execute("SELECT count(*) FROM sqlite_master").fetchone()

    event.listen(Engine, "connect", on_connect)
    try:
        yield
    finally:
        event.remove(Engine, "connect", on_connect)
        for connection in held.values():
            connection.close()


def _path_of(connection: object) -> Path | None:
    if not isinstance(connection, sqlite3.Connection):
        return None
    name = connection.execute("PRAGMA database_list").fetchone()[2]
    return Path(name) if name else None
