"""Case `incremental`: a table that is read again by signal, in chunks, while it changes."""

from __future__ import annotations

import time
from functools import partial

from tests.servers.postgres import Postgres
from tests.servers.server import wait_until

from .modes import sane_and_flat
from .recording import Database, Recording, Servers

ROWS = 600
_SIGNALS = "debezium_signal"
_LAST = ROWS + 1
"""The row that is never touched and is read last, for chunks go by key."""


def record(database: Database, servers: Servers) -> None:
    postgres = isinstance(database, Postgres)
    recording = Recording("incremental", database, servers, {})
    signals = f"{recording.schema}.{_SIGNALS}"
    chunks = {"signal.data.collection": signals, "incremental.snapshot.chunk.size": "50"}
    recording.settings = {name: {**own, **chunks} for name, own in sane_and_flat(postgres).items()}
    recording.execute(
        [
            f"create table {_SIGNALS} (id varchar(80) primary key, type varchar(32) not null, data text)",
            "create table counted (id int primary key, n int not null, v varchar(40))",
            *(f"insert into counted values ({n}, 0, 'snapshot')" for n in [*range(1, ROWS + 1), _LAST]),
        ]
    )
    recording.start()
    recording.execute(_changes(1, 40))
    wanted = f'{{"type": "incremental", "data-collections": ["{recording.schema}.counted"]}}'
    recording.execute([f"insert into {_SIGNALS} values ('again', 'execute-snapshot', '{wanted}')"])
    for first in range(41, 340, 10):
        recording.execute(_changes(first, first + 10))
        time.sleep(0.02)  # so that the changes spread over the chunks, which the connector reads meanwhile
    for setting in recording.settings:
        wait_until(f"{setting} has read the last chunk", partial(_has_read_all, recording, setting))
    recording.execute(_changes(341, 360))
    recording.settle()
    recording.stop()
    recording.write_truth("counted")
    recording.write_manifest(recording.write_messages())


def _changes(first: int, end: int) -> list[str]:
    """All over the table: updates, deletes, keys that come back, and new ones."""
    statements = []
    for n in range(first, end):
        key = n * 37 % ROWS + 1
        statements.append(f"update counted set n = {n}, v = 'change {n}' where id = {key}")
        if n % 5 == 0:
            statements.append(f"delete from counted where id = {key}")
        if n % 15 == 0:
            statements.append(f"insert into counted values ({key}, {n}, 'back')")
        if n % 7 == 0:
            statements.append(f"insert into counted values ({1000 + n}, {n}, 'new')")
    return statements


def _has_read_all(recording: Recording, setting: str) -> bool:
    """The last row was told twice: in the first snapshot and in the second."""
    return recording.times_told(setting, "counted", {"id": _LAST}) > 1
