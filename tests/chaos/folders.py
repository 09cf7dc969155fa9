"""Processes that land and fold a table and keep it in order, killed by signal 9 again and again, alone or racing.

Where it stops: what landing alone survives is `tests/bronze/crashes.py`'s.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.rebuild import rebuild_changes
from lakehouse_assets.sources.changes import START
from lakehouse_assets.sources.writer import append, next_offset
from tests.histories.faults import Fuse
from tests.histories.lakehouse import lakehouse, names_of, tidy
from tests.histories.steps import Operation
from tests.scenario import scenario
from tests.silver.lakes import current, differences, fold

TABLES = ("bank_users", "bank_accounts", "shop_users", "shop_orders", "shop_products", "shop_user_sessions")
_BATCH = 12
_TIDIED: dict[bool, tuple[Operation, ...]] = {True: ("compact", "expire"), False: ("compact",)}
"""Whether a process is alone: it expires whatever is not the present, which others may be reading."""
_LONG = 1800
"""Seconds for a process that lives one: the machine may have much else to do."""
_USUAL_SECONDS = 0.8
_LAST_WRITE = 30

# A fork of a process that has imported everything and started nothing costs milliseconds.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__, "pyiceberg.io.pyarrow", "pyiceberg.catalog.sql", "pandas"])


def kill_and_restart(home: Path, seed: int, processes: int) -> Counter[str]:
    """Lets `processes` work on a growing topic until it is told, every second one killed, and finishes without them.

    Raises AssertionError where silver is not what the model says.
    """
    chance = random.Random(seed)
    table = contract(chance.choice(TABLES))
    messages = scenario(table, seed, strayed=0.1, holes=0.0).stream.messages
    counts = Counter[str]()
    with lakehouse(home) as platform:
        while messages:
            count = chance.randint(1, _BATCH * processes)
            batch, messages = messages[:count], messages[count:]
            ends = {p: next_offset(home / "events" / table.topic / f"{p}.jsonl") for p in range(3)}
            append(home / "events", [m._replace(offset=m.offset - ends[m.partition]) for m in batch])
            _meet([_begin(home, table.id, chance, processes == 1) for _ in range(processes)], chance, counts)
        land(platform, table)
        fold(platform, table)
        found = differences(platform, table)
        assert not found, f"{table.id}, seed {seed}: {found}"
        counts["row"] += len(current(platform, table))
    return counts


def work(home: Path, table_id: str, seed: int, at: int, alone: bool, said: Connection) -> None:
    """One life: an increment and some housekeeping; the end comes at the `at`-th write or commit, if it is reached."""
    chance, table = random.Random(seed), contract(table_id)

    def die(place: str) -> NoReturn:
        said.send(f"kill at {place}")
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    with lakehouse(home) as platform, Fuse.set(at, die):
        first = START.date() + timedelta(days=chance.randrange(3))
        operations: list[Callable[[], object]] = [
            partial(land, platform, table),
            partial(fold_changes, platform, table),
            partial(fold_current, platform, table),
            partial(rebuild_changes, platform, table, first, first + timedelta(days=chance.randrange(3))),
        ]
        operations += [partial(tidy, platform, name, kind, 0) for kind in _TIDIED[alone] for name in names_of(table)]
        if chance.random() < 0.5:
            chance.shuffle(operations)
        for operation in operations:
            try:
                operation()
            except Conflict:
                said.send("refused")


Life = tuple[BaseProcess, Connection]


def _begin(home: Path, table_id: str, chance: random.Random, alone: bool) -> Life:
    heard, said = _SERVER.Pipe(duplex=False)
    at = chance.randrange(_LAST_WRITE)
    process = _SERVER.Process(target=work, args=(home, table_id, chance.getrandbits(32), at, alone, said))
    process.start()
    said.close()
    return process, heard


def _meet(lives: list[Life], chance: random.Random, counts: Counter[str]) -> None:
    """Kills some at any moment, waits for all, and counts."""
    for process, _ in lives:
        if chance.random() < 0.3:
            process.join(chance.uniform(0, _USUAL_SECONDS))
            if process.is_alive():
                process.kill()
                counts["kill at any moment"] += 1
    for process, heard in lives:
        process.join(_LONG)
        assert process.exitcode is not None, f"a process hangs for more than {_LONG} seconds"
        assert process.exitcode in (0, -signal.SIGKILL), f"a process ended with {process.exitcode}"
        counts["kill"] += process.exitcode == -signal.SIGKILL
        with suppress(EOFError):
            while True:
                counts[heard.recv()] += 1
