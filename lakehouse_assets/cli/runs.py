"""`lakehouse materialize`: runs a selection in this process with progress and prints what came of it.

Where it stops: which runs are needed is `operations/materialize.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import dagster as dg
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lakehouse_assets.cli.failure import FAILED, stop
from lakehouse_assets.cli.output import Format, write_json, write_rows
from lakehouse_assets.cli.progress import LayerCount, Progress, Tally
from lakehouse_assets.cli.session import load_definitions, open_instance, open_platform
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.materialize import (
    Outcome,
    Stretch,
    increment,
    select,
    stretches,
)
from lakehouse_assets.operations.preflight import check
from lakehouse_assets.operations.rebuild import rebuild


def run_selection(selection: str, days: tuple[date, date] | None, form: Format) -> None:
    """Runs and prints the outcome. Exit code 1 where an asset or a check of error severity failed."""
    platform = open_platform()
    outcome, tally = run(platform, load_definitions(platform), selection, days)
    if form is Format.TABLE:
        show(outcome, tally)
    elif form is Format.JSON:
        write_json(_document(outcome, tally))
    else:
        rows = [(name, *asdict(count).values()) for name, count in tally.layers().items()]
        write_rows(form, ("layer", *asdict(LayerCount())), rows)
    stop_if_failed(outcome, tally)


def run(
    platform: Platform, definitions: dg.Definitions, selection: str, days: tuple[date, date] | None
) -> tuple[Outcome, Tally]:
    """The increment, or the rebuild of days. Exit code 2 for an unknown selection, 1 where something is unreachable."""
    with open_instance() as instance:
        check(platform, select(definitions, selection))
        with Progress() as progress:
            if days is None:
                outcome = increment(definitions, platform, instance, selection, progress.listen, progress.planned)
            else:
                first, last = days
                outcome = rebuild(
                    definitions, platform, instance, selection, first, last, progress.listen, progress.planned
                )
    return outcome, progress.tally


def stop_if_failed(outcome: Outcome, tally: Tally) -> None:
    """Ends the command with exit code 1 and a line that names every asset and check that failed, if any did."""
    if not _went_well(outcome):
        checks = (f"check {name}" for name in dict.fromkeys(outcome.failed_checks))
        stop(f"failed: {'; '.join((*tally.errors, *checks)) or f'run {outcome.runs[-1]}'}", FAILED)


def show(outcome: Outcome, tally: Tally) -> None:
    """The layers' counts, then the runs and the days that they were for."""
    console = Console()
    if not outcome.runs:
        console.print("nothing is new: every asset is up to date")
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", no_wrap=True)
    for name in ("built", "unchanged", "not built", "rows", "passed", "warned", "failed"):
        table.add_column(name, justify="right", overflow="fold")
    for layer, count in tally.layers().items():
        table.add_row(layer, *(f"{number:,}" for number in asdict(count).values()))
    console.print(table)
    days = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in _merged(outcome.days))
    runs = " ".join(run.partition("-")[0] for run in outcome.runs)
    ended = "done" if _went_well(outcome) else "failed"
    console.print(Text(f"{ended}; runs {runs}{f'; days {days}' if days else ''}"), soft_wrap=True)


def _went_well(outcome: Outcome) -> bool:
    return outcome.success and not outcome.failed_checks


def _document(outcome: Outcome, tally: Tally) -> dict[str, Any]:
    """What a program wants to know of the runs."""
    return {
        **asdict(outcome),
        "days": _merged(outcome.days),
        "errors": tally.errors,
        "layers": {name: asdict(count) for name, count in tally.layers().items()},
        "assets": list(_assets(tally)),
        "checks": [
            {"asset": key.asset_key.to_user_string(), "check": key.name, "ended": ended}
            for key, ended in tally.checks.items()
        ],
    }


def _assets(tally: Tally) -> Iterator[dict[str, Any]]:
    """Every planned asset; `rows` is null where it was not built."""
    for key in sorted(tally.planned):
        built = "built" if key in tally.changed else "unchanged" if key in tally.rows else "not built"
        yield {"asset": key.to_user_string(), "ended": built, "rows": tally.rows.get(key)}


def _merged(days: Iterable[Stretch]) -> list[Stretch]:
    """Runs for the same or neighbouring days as one stretch."""
    return stretches(first + timedelta(days=n) for first, last in days for n in range((last - first).days + 1))
