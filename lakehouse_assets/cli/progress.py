"""A bar over the assets of a run, and per layer what the runs did, both from Dagster's events.

Where it stops: it starts no run and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from lakehouse_assets.operations.materialize import reason

NAMED = 3


@dataclass
class LayerCount:
    """Assets and checks by how they ended; `rows` are those of the materialized tables."""

    materialized: int = 0
    unchanged: int = 0
    not_built: int = 0
    rows: int = 0
    checks_passed: int = 0
    checks_warned: int = 0
    checks_failed: int = 0


@dataclass
class Tally:
    """What was seen of the runs so far."""

    planned: set[dg.AssetKey] = field(default_factory=set)
    rows: dict[dg.AssetKey, int] = field(default_factory=dict)
    changed: set[dg.AssetKey] = field(default_factory=set)
    checks: dict[dg.AssetCheckKey, str] = field(default_factory=dict)
    steps: dict[str, list[dg.AssetKey]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def missed(self, step: str) -> str:
        """The assets that a failed step has not built, at most three by name; a step without assets by its own name."""
        keys = [k.to_user_string() for k in self.steps.get(step, ()) if k not in self.rows]
        more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
        return f"{', '.join(keys[:NAMED])}{more}" if keys else step

    def layers(self) -> dict[str, LayerCount]:
        """By layer, in the order of their first event."""
        found: dict[str, LayerCount] = {}

        def of(key: dg.AssetKey) -> LayerCount:
            return found.setdefault(key.path[0], LayerCount())

        for key, rows in self.rows.items():
            count = of(key)
            count.unchanged += key not in self.changed
            count.materialized += key in self.changed
            count.rows += rows
        for key in self.planned - self.rows.keys():
            of(key).not_built += 1
        for check, ended in self.checks.items():
            count = of(check.asset_key)
            setattr(count, f"checks_{ended}", getattr(count, f"checks_{ended}") + 1)
        return found


class Progress:
    """A bar on stderr while runs go on; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self.tally = Tally()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        self._bar = Bar(*columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("planning", total=None)
        self._seen: set[dg.AssetKey] = set()

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.stop()

    def planned(self, assets: int) -> None:
        """A run of so many assets begins."""
        self._seen.clear()
        total = self._bar.tasks[self._task].total or 0
        self._bar.update(self._task, total=total + assets)

    def listen(self, event: dg.DagsterEvent) -> None:
        """Takes one event of a run."""
        take = _TAKE.get(event.event_type_value)
        if take is not None:
            take(self, event)

    def _plan(self, event: dg.DagsterEvent) -> None:
        if event.asset_key is not None:
            self.tally.planned.add(event.asset_key)
            self.tally.steps.setdefault(event.step_key or "", []).append(event.asset_key)

    def _start(self, event: dg.DagsterEvent) -> None:
        self._bar.update(self._task, description=event.step_key or "")

    def _build(self, event: dg.DagsterEvent) -> None:
        materialization = event.step_materialization_data.materialization
        key = materialization.asset_key
        rows = materialization.metadata.get("dagster/row_count")
        unchanged = materialization.metadata.get("unchanged")
        # A range of days is told once per day, and the days that a fold touched without a count.
        if key in self._seen or rows is None:
            return
        self._seen.add(key)
        count = rows.value if isinstance(rows.value, int) else 0
        self.tally.rows[key] = count
        if unchanged is None or not unchanged.value:
            self.tally.changed.add(key)
        self._bar.update(self._task, advance=1, description=f"{key.to_user_string()}  {count:,} rows")

    def _check(self, event: dg.DagsterEvent) -> None:
        ended = event.asset_check_evaluation_data
        key = dg.AssetCheckKey(ended.asset_key, ended.check_name)
        warned = ended.severity == dg.AssetCheckSeverity.WARN
        self.tally.checks[key] = "passed" if ended.passed else "warned" if warned else "failed"

    def _fail(self, event: dg.DagsterEvent) -> None:
        failure = event.step_failure_data
        # That a check failed is told by the check.
        if failure.error is None or failure.error.cls_name != DagsterAssetCheckFailedError.__name__:
            self.tally.errors.append(f"{self.tally.missed(event.step_key or '')}: {reason(failure)}")


_TAKE: dict[str, Callable[[Progress, dg.DagsterEvent], None]] = {
    "ASSET_MATERIALIZATION_PLANNED": Progress._plan,
    "STEP_START": Progress._start,
    "ASSET_MATERIALIZATION": Progress._build,
    "ASSET_CHECK_EVALUATION": Progress._check,
    "STEP_FAILURE": Progress._fail,
}
