"""A lander in a process of its own that dies by signal 9 at a named point, or whose commit loses its answer there.

A point is reached by wrapping what the lander does outside of itself: the log that it reads, the files that it writes
and deletes, the catalog and its transaction. The product knows nothing of it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from sqlalchemy import event

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.log.log import EventLog
from lakehouse_assets.engines.platform import Platform
from tests.bronze.lander import Interrupted

EVENTS = registry.table("clickstream_user_events")
BATCH = 12

LOST_ANSWER = "the commit's answer was lost"
LATE_ANSWER = "the commit's answer was lost after others had gone on"
FAULTS = (LOST_ANSWER, LATE_ANSWER)
"""The catalog commits, and the lander, which lives on, hears of an error."""

POINTS = (
    "messages were consumed",
    "a data file is half written",
    "a data file was written",
    "a manifest is half written",
    "a manifest was written",
    "the manifest list was written",
    "the commit begins",
    "the table's metadata is half written",
    "the table's metadata was written",
    "the catalog's transaction ends",
    "the commit was made",
    "old metadata was deleted",
    "before the landing is acknowledged",
)
"""Where a lander can be killed, in the order in which it comes there."""

_LATE_SECONDS = 0.3
"""Longer than another lander needs for a commit, so that most late answers come after one."""
KINDS = {
    ".parquet": "a data file",
    "-m0.avro": "a manifest",
    ".avro": "the manifest list",
    ".json": "the table's metadata",
}

LANDING = "a landing begins"
REFUSED = "a commit was refused"


@dataclass
class Doom:
    """The end at `point`, when it is reached for the `nth` time; the empty point never is.

    `tell` is for what others cannot see: LANDING, REFUSED and the FAULTS.
    """

    point: str = ""
    nth: int = 1
    tell: Callable[[str], None] = print

    def reached(self, point: str) -> None:
        if self._is_due(point):
            os.kill(os.getpid(), signal.SIGKILL)

    def answered(self) -> None:
        if self._is_due(LOST_ANSWER):
            self.tell(LOST_ANSWER)
            raise ConnectionError("reset by peer")
        if self._is_due(LATE_ANSWER):
            self.tell(LATE_ANSWER)
            time.sleep(_LATE_SECONDS)
            raise TimeoutError("no answer")

    def _is_due(self, point: str) -> bool:
        self.nth -= point == self.point
        return point == self.point and self.nth == 0


doom = Doom()
"""This process's own. PyIceberg makes the files' wrapper by its name, so that nothing can be handed to it."""


class WatchedIO(PyArrowFileIO):
    """Local files, with the points of their writing and deleting."""

    def new_output(self, location: str) -> PyArrowFile:
        file = super().new_output(location)
        kind = next((name for ending, name in KINDS.items() if location.endswith(ending)), "")
        create: Callable[..., OutputStream] = file.create
        file.create = lambda overwrite=False: WatchedStream(create(overwrite), kind)  # type: ignore[method-assign]
        return file

    def delete(self, location: Any) -> None:
        super().delete(location)
        doom.reached("old metadata was deleted")


class WatchedStream:
    """A file that is being written; half of its first bytes are on the disk when the point in between comes."""

    def __init__(self, stream: Any, kind: str) -> None:
        self.stream, self.kind = stream, kind

    def __enter__(self) -> WatchedStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, data: Any) -> int:
        whole = bytes(data)
        self.stream.write(whole[: len(whole) // 2])
        doom.reached(f"{self.kind} is half written")
        self.stream.write(whole[len(whole) // 2 :])
        return len(whole)

    def close(self) -> None:
        if not self.stream.closed:
            self.stream.close()
            doom.reached(f"{self.kind} was written")


class WatchedCatalog(SqlCatalog):
    """SQLite's, with the points of its commits."""

    def commit_table(self, *args: Any, **kwargs: Any) -> Any:
        doom.reached("the commit begins")
        try:
            made = super().commit_table(*args, **kwargs)
        except CommitFailedException:
            doom.tell(REFUSED)
            raise
        doom.reached("the commit was made")
        doom.answered()
        return made


def catalog_of(home: Path, kind: type[SqlCatalog] = SqlCatalog, **properties: str) -> SqlCatalog:
    return kind(
        "lakehouse", uri=f"sqlite:///{home / 'catalog.db'}", warehouse=f"file://{home / 'warehouse'}", **properties
    )


def platform_of(home: Path, log: EventLog, catalog: SqlCatalog) -> Platform:
    def no_clickhouse() -> NoReturn:
        raise RuntimeError("landing needs no ClickHouse")

    return Platform("embedded", home, log, lambda: catalog, no_clickhouse, "embedded", batch_messages=BATCH)


def live(home: Path, log: EventLog, fate: Doom, told: Connection) -> None:
    """The whole life of such a process: it lands once, and may meet its fate on the way."""
    doom.point, doom.nth, doom.tell = fate.point, fate.nth, told.send
    catalog = catalog_of(home, WatchedCatalog, **{"py-io-impl": f"{__name__}.{WatchedIO.__name__}"})
    event.listen(catalog.engine, "commit", lambda _: doom.reached("the catalog's transaction ends"))
    platform = platform_of(home, Interrupted(log, partial(doom.reached, "messages were consumed")), catalog)
    doom.tell(LANDING)
    land(platform, EVENTS, lambda _: doom.reached("before the landing is acknowledged"))
