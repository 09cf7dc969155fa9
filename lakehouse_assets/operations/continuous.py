"""Takes what is new as it comes, in one warm process: source by source, as increments of the shared instance.

A source is looked at by the end of its log or its files alone, which costs next to nothing while it is quiet. A source
whose increment failed is left alone for longer and longer, and holds up no other.
Where it stops: an increment begins and ends whole; between two of them it may be stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from lakehouse_assets.bronze.deliveries import deliveries, name
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput, Mendable
from lakehouse_assets.operations.automation import below
from lakehouse_assets.operations.materialize import Outcome, increment, is_unchanged, reason
from lakehouse_assets.operations.outside import explained

LONGEST_PAUSE_SECONDS = 60.0


class NoSource(BadInput):
    """A source that there is not; the message names the valid ones."""


@dataclass(frozen=True)
class Pass:
    """One increment of one source. `seconds` is, by layer, how long the oldest change that it took had been committed
    at its source when the layer's last table held it. `problem` is one line where something failed."""

    source: str
    messages: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)
    problem: str | None = None


def by_source(names: Sequence[str] = ()) -> dict[str, list[Table]]:
    """The tables of these sources, or of all. Raises NoSource."""
    found: dict[str, list[Table]] = {}
    for table in tables():
        found.setdefault(table.source.name, []).append(table)
    if unknown := [each for each in names if each not in found]:
        raise NoSource(f"no source {', '.join(unknown)}; there are {', '.join(sorted(found))}")
    return {source: of for source, of in found.items() if source in (names or found)}


def follow(
    definitions: dg.Definitions,
    platform: Platform,
    instance: dg.DagsterInstance,
    of: Mapping[str, list[Table]],
    every: float,
    wait: Callable[[float], bool],
) -> Iterator[Pass]:
    """The passes as they end, until `wait`, given seconds to pause, says true.

    The first of a source takes what earlier runs left, too."""
    taken: dict[str, object] = {}
    failed: dict[str, int] = {}
    due: dict[str, float] = {}
    while True:
        for source, its_tables in of.items():
            if time.monotonic() < due.get(source, 0.0) or wait(0):
                continue
            end = _end(platform, its_tables)
            if taken.get(source) == end:
                continue
            done = take(definitions, platform, instance, source, its_tables)
            if done.problem is None:
                taken[source] = end
            failed[source] = failed.get(source, 0) + 1 if done.problem else 0
            pause = min(every * 2.0 ** failed[source], LONGEST_PAUSE_SECONDS)
            due[source] = time.monotonic() + pause if done.problem else 0.0
            yield done
        if wait(every):
            return


def take(
    definitions: dg.Definitions, platform: Platform, instance: dg.DagsterInstance, source: str, of: Sequence[Table]
) -> Pass:
    """One increment of the tables and all that is made of them; what a person can mend is the pass' `problem`."""
    heard = _Heard()
    try:
        outcome = increment(definitions, platform, instance, below([t.id for t in of]), heard.listen)
    except Exception as error:
        said = str(error) if isinstance(error, Mendable) else explained(error)
        if said is None:
            raise
        return Pass(source, heard.messages, heard.seconds, problem=said)
    problems = [*heard.problems, *(f"check {each}" for each in dict.fromkeys(outcome.failed_checks))]
    return Pass(source, heard.messages, heard.seconds, outcome, "; ".join(problems) or None)


def _end(platform: Platform, of: Sequence[Table]) -> object:
    """What tells that something came; an end that cannot be read is the increment's to explain."""
    try:
        return [_files(platform, t) if t.source.kind == "files" else platform.log.bounds(t.topic) for t in of]
    except (Mendable, OSError) as error:
        return str(error)


def _files(platform: Platform, table: Table) -> list[tuple[str, int, int]]:
    return [(name(file), file.size, file.mtime_ns) for file in deliveries(platform, table)]


class _Heard:
    """What the events of an increment tell while it runs."""

    def __init__(self) -> None:
        self.messages = 0
        self.seconds: dict[str, float] = {}
        self.problems: list[str] = []
        self._oldest: float | None = None

    def listen(self, event: dg.DagsterEvent) -> None:
        if event.is_step_failure:
            self.problems.append(f"{event.step_key}: {reason(event.step_failure_data)}")
        elif event.is_step_materialization and not is_unchanged(event):
            self._built(event.step_materialization_data.materialization)

    def _built(self, made: dg.AssetMaterialization) -> None:
        layer, now = made.asset_key.path[0], time.time()
        consumed, lag = made.metadata.get("consumed"), made.metadata.get("lag_seconds")
        if consumed is not None and isinstance(consumed.value, int):
            self.messages += consumed.value
        if lag is not None and isinstance(lag.value, float):
            self._oldest = min(now - lag.value, self._oldest or now)
        if self._oldest is not None:
            self.seconds[layer] = now - self._oldest
