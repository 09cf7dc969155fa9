"""Plays a history against the real lakehouse, interrupts it where the history says so, and compares what it ends with.

Compared at the end: the current table with the database's rows; it and the changes with the model; the accounts; and
what the increments made with a rebuild of all days that can be rebuilt. Where it stops: the vault is
`tests/vault/test_any_history.py`'s.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

from lakehouse_assets.bronze import land as landing
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.epochs import reset
from lakehouse_assets.operations.retention import retain
from lakehouse_assets.silver import rejects
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.rebuild import CannotRebuild, rebuild_changes
from lakehouse_assets.silver.reset import SourceWasReset
from lakehouse_assets.sources.writer import append, next_offset
from tests import model
from tests.histories import source, steps
from tests.histories.faults import Broken, Died, Fuse
from tests.histories.lakehouse import declaring, dropped, lakehouse, names_of, sequence, tidy
from tests.histories.shapes import declared
from tests.histories.steps import Crash, History, Reset, Run
from tests.model.values import decode
from tests.silver.lakes import changes, current, differences, state, with_source
from tests.silver.second_tries import (
    misreading,
    open_rejects,
    replay_dead_letters,
    replay_rejects,
)

FIRST_LANDING = datetime(2020, 1, 2, tzinfo=UTC)
"""Nothing was landed before there were days to land it in."""
MISREAD = ('"op": "d"', '"op": "c"', '"op": "r"', '"op": "t"', "__debezium_unavailable", "plain")
"""Of what holds one of these, a misreading bronze makes dead letters."""


_DAY = timedelta(days=1)


class Different(AssertionError):
    """What the lakehouse holds is not what it must hold; the message begins with the differences."""


class Play:
    """One history under way. `counts` says what happened, in messages and operations.

    `contract` is the table's, or one that misreads it; what was misread waits for a replay while `misread_yet`; `anew`
    counts the steps until an epoch is begun for the new log.
    """

    def __init__(self, history: History, platform: Platform) -> None:
        self.history, self.platform = history, platform
        self.table: Table = declared(history.shape)
        self.contract, self.misreading, self.misread_yet = self.table, ExitStack(), False
        self.source = source.begin(history.shape, history.early)
        self.begun = self.source.clock.date()
        self.anew: int | None = None
        self.kept: dict[str, int] = {}
        self.counts = self.source.counts
        self.counts["composite key"] = len(self.table.key) - 1

    def run(self) -> None:
        with declaring(self.table), self.misreading:
            self.source.begin(self.history.rows)
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
            case Reset():
                self.reset(step)
            case steps.Read() if self.counts["retained bronze"]:
                return  # docs/operations.md tells why it may not be rebuilt as it was folded
            case _:
                self.source.take(step)
        self.counts["step"] += 1
        if self.anew is not None:
            self.anew -= 1
            if self.anew < 0:
                self.begin_epoch()

    def operate(self, step: Run) -> None:
        self.counts[f"operation {step.operation}"] += 1
        match step.operation:
            case "land":
                self.land()
            case "changes":
                self.fold_changes()
            case "current":
                fold_current(self.platform, self.table)
            case "rebuild":
                self.rebuild(step.number)
            case "misread":
                self.misread(step.number)
            case "replay":
                self.replay()
            case "retain":
                self.retain(step.number)
            case _:
                name = names_of(self.table)[step.number % 3]
                tidy(self.platform, name, step.operation, step.number // 3, self.kept.get(name, 0))

    def land(self, everything: bool = False) -> None:
        messages = self.source.deliver(everything)
        events = self.platform.home / "events"
        ends = {p: next_offset(events / self.table.topic / f"{p}.jsonl") for p in range(source.PARTITIONS)}
        append(events, [m._replace(offset=m.offset - ends[m.partition]) for m in messages])
        if (events / self.table.topic).exists():
            with patch.object(landing, "datetime", wraps=datetime) as clock:
                clock.now.return_value = max(self.source.clock, FIRST_LANDING)
                landing.land(self.platform, self.table)

    def fold_changes(self) -> bool:
        """Whether it was refused, because the log began anew: never before it did."""
        try:
            fold_changes(self.platform, self.contract)
        except SourceWasReset:
            if self.anew is None:
                raise
            self.counts["reset noticed"] += 1
            return True
        return False

    def rebuild(self, number: int) -> None:
        """One of the first three days and a few after it; refused where bronze was rolled back and not landed since, or
        dropped those days."""
        first = self.begun + number % 3 * _DAY
        try:
            rebuild_changes(self.platform, self.contract, first, first + number // 3 * _DAY)
        except CannotRebuild:
            self.counts["rebuild refused"] += 1

    def increment(self) -> None:
        self.land()
        self.fold_changes()
        fold_current(self.platform, self.table)

    def crash(self, step: Crash) -> None:
        def fail(place: str) -> NoReturn:
            raise (Died if step.dies else Broken)(place)

        with suppress(Died, Broken), Fuse.set(step.at, fail):
            if step.number > 2:
                self.rebuild(step.number)
            if step.number == 1:
                self.replay()
            self.increment()
        if Fuse.burnt:
            self.counts["crash"] += 1
            self.counts[f"crash at {Fuse.burnt}"] += 1

    def misread(self, number: int) -> None:
        """From now on bronze or, where the table has such values, silver takes some messages for invalid."""
        self.counts["misread"] += 1
        self.misread_yet = True
        if number % 2 and {"decimal", "date"} & set(self.history.shape.columns):
            self.contract = with_source(self.table, decimal="precise", time="adaptive")
        else:
            self.misreading.enter_context(misreading(MISREAD[number]))

    def replay(self) -> None:
        """The fault is mended: what waits is read once more."""
        self.contract = self.table
        self.misreading.close()
        if all(load(self.platform.open_catalog(), name) for name in names_of(self.table)[:2]):
            replayed = replay_dead_letters(self.platform, self.table)
            if load(self.platform.open_catalog(), "silver.rejects"):
                replayed += replay_rejects(self.platform, self.table)
            self.counts["replayed"] += replayed.taken
            self.misread_yet = False

    def retain(self, number: int) -> None:
        """Bronze and, where the number is odd, changes of the days before today or before one of the two before it.
        Nothing more comes of those, and whatever was refused of them was decided on. Changes that may have to tell a
        later one a value that PostgreSQL leaves out are kept.
        """
        if self.anew is not None:
            return
        self.settle()
        self.source.clock += 4 * _DAY
        self.source.told.clear()
        if load(self.platform.open_catalog(), "silver.rejects"):
            rejects.set_aside(self.platform, self.table, open_rejects(self.platform, self.table))
        day = self.source.clock.date() - number // 2 * _DAY
        kept = (self.table.bronze_retention, self.table.silver_retention)
        layers = 1 + (number % 2 and not self.history.shape.leaves_out)
        for name, keep in list(zip(names_of(self.table), kept, strict=False))[:layers]:
            if load(self.platform.open_catalog(), name) and retain(self.platform, name, day + keep):
                self.counts[f"retained {name.split('.')[0]}"] += 1
                self.kept = {n: sequence(self.platform, n) for n in names_of(self.table)}

    def reset(self, step: Reset) -> None:
        """A connector is stopped before its source's log begins anew, and all that it told is landed."""
        if self.anew is None and len(self.source.begun) < source.LOGS - 1:
            if step.after % 2:
                self.settle()
            else:
                self.land(everything=True)
                self.replay()
            self.source.begin_anew()
            self.anew = step.after

    def begin_epoch(self) -> None:
        """Where the fold was not refused, it is known from when on the new log tells."""
        self.land()
        noticed = self.fold_changes()
        self.anew = None
        reset(self.platform, self.table.source.name, None if noticed else self.source.began)

    def settle(self) -> None:
        """Everything is landed, read rightly and folded."""
        self.land(everything=True)
        self.fold_changes()
        if self.misread_yet:
            self.replay()
            self.fold_changes()
        fold_current(self.platform, self.table)

    def finish(self) -> None:
        if self.anew is not None:
            self.begin_epoch()
        self.settle()
        bronze, changed, _ = (dropped(self.platform, name) for name in names_of(self.table))
        self.require(self.untrue())
        self.require(differences(self.platform, self.table, epochs=self.source.begun, dropped=changed))
        self.counts["row"] += len(changes(self.platform, self.table)) + len(current(self.platform, self.table))
        if self.history.rebuilt:
            self.require_the_same_from_bronze(max(self.begun, bronze + _DAY, changed + _DAY))

    def untrue(self) -> list[str]:
        """How the current rows differ from those of the database."""
        described = model.table(self.table.id)
        told = [{**self.history.shape.key_of(number), **row} for number, row in self.source.rows.items()]
        rows = [{c.name: decode(c, row[c.name], "string") for c in described.columns} for row in told]
        return model.compare("the database", rows, current(self.platform, self.table), self.table.key)

    def require_the_same_from_bronze(self, first: date) -> None:
        """But for `load_sequence`, `ingestion_timestamp` and `rejected_at`; the day before the first is refused."""
        self.counts["rebuilt"] += 1
        grown = state(self.platform, self.table)
        last = self.source.clock.date()
        rebuild_changes(self.platform, self.table, first, last)
        fold_current(self.platform, self.table)
        rebuilt = state(self.platform, self.table)
        for name, before, after in zip(vars(grown), vars(grown).values(), vars(rebuilt).values(), strict=True):
            if before != after:
                self.require([f"{name} of a rebuild differ from the increments': {before} became {after}"])
        if first > self.begun:
            with suppress(CannotRebuild):
                rebuild_changes(self.platform, self.table, first - _DAY, last)
                self.require([f"the day before {first} was rebuilt, which is gone"])

    def require(self, differences: list[str]) -> None:
        if differences:
            raise Different("\n".join([*differences, "", repr(self.history)]))


def play(history: History) -> Counter[str]:
    """What happened, counted. Raises Different."""
    with tempfile.TemporaryDirectory() as home, lakehouse(Path(home)) as platform:
        playing = Play(history, platform)
        playing.run()
    forget()
    return playing.counts


def forget() -> None:
    """The model keeps what it computed for every input that it saw."""
    for cached in (model.accounting, model.changes, model.current, model.truncates):
        cached.cache_clear()
