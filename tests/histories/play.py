"""Plays a history against the real lakehouse, interrupts it where the history says so, and compares what it ends with.

Compared at the end: the current table and the changes with the model, the accounts, and what the increments made with a
rebuild of all days. Where it stops: the vault is `tests/vault/test_any_history.py`'s.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import duckdb

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.compaction import Sizes, compact
from lakehouse_assets.operations.expiry import LEAST, expire
from lakehouse_assets.operations.history import history, rollback
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.rebuild import CannotRebuild, rebuild_changes
from lakehouse_assets.sources.writer import append, next_offset
from tests import model
from tests.histories import source, steps
from tests.histories.faults import Broken, Died, Fuse, FusedCatalog, FusedIO
from tests.histories.shapes import declared
from tests.histories.steps import Crash, History, Run
from tests.silver.lakes import changes, current, differences, state

DAYS = timedelta(days=5)
"""More than any history lasts."""
LONG_AFTER = timedelta(days=30)
BATCH = 60
"""Messages of one commit of bronze: a landing of a whole history makes two."""


class Different(AssertionError):
    """What the lakehouse holds is not what it must hold; the message begins with the differences."""


class Play:
    """One history under way. `counts` says what happened, in messages and operations."""

    def __init__(self, history: History, platform: Platform) -> None:
        self.history, self.platform = history, platform
        self.table: Table = declared(history.shape)
        self.source = source.begin(history.shape, history.early)
        self.begun = self.source.clock.date()
        self.counts = self.source.counts

    def run(self) -> None:
        self.source.snapshot(self.history.rows)
        for step in self.history.steps:
            self.take(step)
        self.finish()

    def take(self, step: steps.Step) -> None:
        match step:
            case steps.Quiet():
                return
            case Run():
                self.operate(step)
            case Crash():
                self.crash(step)
            case _:
                self.source.take(step)
        self.counts["step"] += 1

    def operate(self, step: Run) -> None:
        self.counts[f"operation {step.operation}"] += 1
        match step.operation:
            case "land":
                self.land()
            case "changes":
                fold_changes(self.platform, self.table)
            case "current":
                fold_current(self.platform, self.table)
            case "rebuild":
                self.rebuild(step.number)
            case "compact" | "expire" | "roll back":
                tidy(self.platform, self.table, step.operation, step.number)

    def land(self, everything: bool = False) -> None:
        messages = self.source.deliver(everything)
        events = self.platform.home / "events"
        ends = {p: next_offset(events / self.table.topic / f"{p}.jsonl") for p in range(source.PARTITIONS)}
        append(events, [m._replace(offset=m.offset - ends[m.partition]) for m in messages])
        if (events / self.table.topic).exists():
            land(self.platform, self.table)

    def rebuild(self, number: int) -> None:
        """One of the first three days and a few after it; refused where bronze was rolled back and not landed since."""
        first = self.begun + timedelta(days=number % 3)
        try:
            rebuild_changes(self.platform, self.table, first, first + timedelta(days=number // 3))
        except CannotRebuild:
            self.counts["rebuild refused"] += 1

    def increment(self) -> None:
        self.land()
        fold_changes(self.platform, self.table)
        fold_current(self.platform, self.table)

    def crash(self, step: Crash) -> None:
        def fail(place: str) -> NoReturn:
            raise (Died if step.dies else Broken)(place)

        with suppress(Died, Broken), Fuse.set(step.at, fail):
            if step.number > 2:
                self.rebuild(step.number)
            self.increment()
        if Fuse.burnt:
            self.counts["crash"] += 1
            self.counts[f"crash at {Fuse.burnt}"] += 1

    def finish(self) -> None:
        self.land(everything=True)
        fold_changes(self.platform, self.table)
        fold_current(self.platform, self.table)
        self.require(differences(self.platform, self.table))
        self.counts["row"] += len(changes(self.platform, self.table)) + len(current(self.platform, self.table))
        if self.history.rebuilt:
            self.require_the_same_from_bronze()

    def require_the_same_from_bronze(self) -> None:
        """But for `load_sequence`, `ingestion_timestamp` and `rejected_at`."""
        self.counts["rebuilt"] += 1
        grown = state(self.platform, self.table)
        rebuild_changes(self.platform, self.table, self.begun, self.begun + DAYS)
        fold_current(self.platform, self.table)
        rebuilt = state(self.platform, self.table)
        for name, before, after in zip(vars(grown), vars(grown).values(), vars(rebuilt).values(), strict=True):
            if before != after:
                self.require([f"{name} of a rebuild differ from the increments': {before} became {after}"])

    def require(self, differences: list[str]) -> None:
        if differences:
            raise Different("\n".join([*differences, "", repr(self.history)]))


def tidy(platform: Platform, table: Table, operation: steps.Operation, number: int) -> None:
    """Keeps bronze, the changes or the current table in order, however little there is to do."""
    names = (f"bronze.{table.id}", schema.changes_name(table), schema.current_name(table))
    name = names[number % len(names)]
    handle = load(platform.open_catalog(), name)
    if handle is None or handle.current_snapshot() is None:
        return
    match operation:
        case "compact":
            for _ in compact(platform, name, Sizes(least_files=2)):
                pass
        case "expire":
            with handle.transaction() as transaction:
                transaction.set_properties({LEAST: "1"})
            expire(platform, name, datetime.now(UTC) + LONG_AFTER)
        case "roll back":
            earlier = history(handle)[1 + number // 3 :]
            if earlier:
                rollback(platform, name, earlier[0].snapshot_id)


def play(history: History) -> Counter[str]:
    """What happened, counted. Raises Different."""
    with tempfile.TemporaryDirectory() as home, lakehouse(Path(home)) as platform:
        playing = Play(history, platform)
        playing.run()
    forget()
    return playing.counts


@contextmanager
def lakehouse(home: Path) -> Iterator[Platform]:
    """An empty one, over the fuse."""
    catalog = FusedCatalog(
        "lakehouse",
        **{
            "uri": f"sqlite:///{home / 'catalog.db'}",
            "warehouse": f"file://{home / 'warehouse'}",
            "py-io-impl": f"{FusedIO.__module__}.{FusedIO.__name__}",
        },
    )

    def no_clickhouse() -> object:
        raise RuntimeError("a history has no ClickHouse")

    (home / "events").mkdir(exist_ok=True)
    yield Platform("embedded", home, FileLog(home / "events"), lambda: catalog, no_clickhouse, "embedded", BATCH)
    catalog.close()


@contextmanager
def one_database() -> Iterator[None]:
    """DuckDB sessions that are of one database: to make a database for each step would take a third of the time."""
    with (
        duckdb.connect(config={"threads": 1}) as database,
        patch.object(duckdb, "connect", lambda **_: database.cursor()),
    ):
        yield


def forget() -> None:
    """The model keeps what it computed for every input that it saw."""
    for cached in (model.accounting, model.changes, model.current, model.truncates):
        cached.cache_clear()
