"""A rebuild of many days: the plan first, piece by piece, and from where it stopped when it is called again.

1. Cut the days into pieces, because a piece of a table is one commit that must fit the memory.
2. Run the steps of a rebuild over the pieces: silver by day, then what lies below it, then marts and gold.
3. After each step note that it is done, in a file that goes when all are.

Safety: a step that is done twice changes nothing, so that a note which a crash lost costs time only. Landing goes on
meanwhile: a rebuild moves no watermark.
Where it stops: how a day is built is its layer's, which days can be is `reach.py`'s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from pyiceberg.expressions import And, GreaterThanOrEqual, LessThanOrEqual
from pyiceberg.table import Table

from lakehouse_assets.engines.dbt.marks import day_column
from lakehouse_assets.engines.duckdb.session import select
from lakehouse_assets.engines.iceberg.scan import bytes_of, data_files
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.iceberg.time_travel import UnknownSnapshot
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.diff import diff, within
from lakehouse_assets.operations.materialize import Listener, Outcome, Stretch
from lakehouse_assets.operations.rebuild import Step, rebuild_steps, run_steps
from lakehouse_assets.vault.days import daily_marts

FOLDER = "backfills"
DAYS_AT_ONCE = 7


@dataclass(frozen=True)
class Held:
    """What a table by day holds of the days; `snapshot_id` is its present one, 0 before the first."""

    table: str
    rows: int
    files: int
    bytes: int
    snapshot_id: int


@dataclass(frozen=True)
class Changed:
    """`rows_changed` are the rows of the days that were added, changed and removed by key since the backfill began,
    whoever did; None where the snapshot of then has expired."""

    table: str
    rows_before: int
    rows_after: int
    rows_changed: int | None


@dataclass(frozen=True)
class Backfill:
    """What is to be done: `steps` are left, `done` tells those that an earlier call did; `before` is what the tables by
    day held when it began. `assets` is the selection and all that is made of it."""

    selection: str
    first: date
    last: date
    steps: tuple[Step, ...]
    done: tuple[str, ...]
    before: tuple[Held, ...]
    assets: tuple[str, ...]
    note: Path

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def plan(
    definitions: dg.Definitions,
    platform: Platform,
    selection: str,
    first: date,
    last: date,
    at_once: int = DAYS_AT_ONCE,
    restart: bool = False,
) -> Backfill:
    """The days of the selection and of all that is made of it; nothing is changed.

    Raises UnknownSelection, CannotRebuild."""
    steps = rebuild_steps(definitions, platform, selection, [*pieces(first, last, at_once)], downstream=True)
    note = platform.home / FOLDER / f"{_name(selection, first, last)}.json"
    noted = json.loads(note.read_text("utf-8")) if note.exists() and not restart else {"done": [], "before": []}
    by_day = {".".join(key.path) for step in steps if step.stretch for key in step.keys}
    now = (_held(platform, table, first, last) for table in sorted(by_day) if not table.startswith("gold."))
    return Backfill(
        selection,
        first,
        last,
        steps=tuple(step for step in steps if _told(step) not in noted["done"]),
        done=tuple(noted["done"]),
        before=tuple(Held(**held) for held in noted["before"]) or tuple(now),
        assets=tuple(sorted({key.to_user_string() for step in steps for key in step.keys})),
        note=note,
    )


def run(
    definitions: dg.Definitions,
    platform: Platform,
    instance: dg.DagsterInstance,
    planned: Backfill,
    listen: Listener = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Runs what is left, until a step fails: the next plan begins with that one."""
    done = list(planned.done)

    def noted(step: Step) -> None:
        done.append(_told(step))
        _write(planned, done)

    _write(planned, done)
    outcome = run_steps(definitions, platform, instance, planned.steps, listen, progress, noted)
    if outcome.success:
        planned.note.unlink()
    return outcome


def summary(platform: Platform, planned: Backfill) -> list[Changed]:
    """What became of the rows of the days."""
    return [_changed(platform, planned, held) for held in planned.before]


def pieces(first: date, last: date, at_once: int) -> Iterator[Stretch]:
    """The days in ranges of at most so many."""
    while first <= last:
        end = min(last, first + timedelta(days=at_once - 1))
        yield first, end
        first = end + timedelta(days=1)


def _held(platform: Platform, identifier: str, first: date, last: date) -> Held:
    table = load(platform.open_catalog(), identifier)
    snapshot = table.current_snapshot() if table is not None else None
    if table is None or snapshot is None:
        return Held(identifier, 0, 0, 0, 0)
    column = _day_column(table)
    files = data_files(
        table, And(GreaterThanOrEqual(column, first.isoformat()), LessThanOrEqual(column, last.isoformat()))
    )
    with platform.open_duckdb() as conn:
        condition = within((column, first, last))
        [(rows,)] = conn.execute(f"select count(*) from ({select(table, files)}) where {condition}").fetchall()
    return Held(identifier, rows, len(files), bytes_of(files), snapshot.snapshot_id)


def _changed(platform: Platform, planned: Backfill, before: Held) -> Changed:
    after = _held(platform, before.table, planned.first, planned.last)
    if before.snapshot_id in (0, after.snapshot_id):
        return Changed(before.table, before.rows, after.rows, after.rows - before.rows)
    table = platform.open_catalog().load_table(before.table)
    days = (_day_column(table), planned.first, planned.last)
    try:
        with diff(platform, before.table, before.snapshot_id, after.snapshot_id, days=days) as found:
            return Changed(before.table, before.rows, after.rows, sum(found.counts.values()))
    except UnknownSnapshot:
        return Changed(before.table, before.rows, after.rows, None)


def _day_column(table: Table) -> str:
    named = {mart.identifier: mart.day_column for mart in daily_marts()}
    return named.get(".".join(table.name())) or day_column(table)


def _name(selection: str, first: date, last: date) -> str:
    return f"{first}-{last}-{hashlib.sha256(selection.encode()).hexdigest()[:16]}"


def _told(step: Step) -> str:
    """What tells the step from every other one."""
    days = " to ".join(map(str, step.stretch)) if step.stretch else "no days"
    return f"{days}: {' '.join(sorted(key.to_user_string() for key in step.keys))}"


def _write(planned: Backfill, done: Sequence[str]) -> None:
    """By rename, so that a crash leaves the note of before."""
    planned.note.parent.mkdir(parents=True, exist_ok=True)
    beside = planned.note.with_suffix(".new")
    beside.write_text(json.dumps({"done": done, "before": [asdict(held) for held in planned.before]}), "utf-8")
    beside.replace(planned.note)
