"""`lakehouse demo`: from empty sources to a populated lakehouse, with what it cost.

Where it stops: the samples are `operations/samples.py`'s, the runs `cli/runs.py`'s.
"""

from __future__ import annotations

import resource
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lakehouse_assets.cli import BEGAN
from lakehouse_assets.cli.failure import BAD_INPUT, stop
from lakehouse_assets.cli.inventory import show as show_tables
from lakehouse_assets.cli.inventory import size, tables_of
from lakehouse_assets.cli.runs import run, show, stop_if_failed
from lakehouse_assets.cli.session import load_definitions, open_platform
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import samples

NEXT = (
    'lakehouse query "select * from marts.daily_active_users order by 1 desc limit 7"',
    "lakehouse events --count 2000 && lakehouse materialize",
    "make dev",
)


def run_demo(more: bool) -> None:
    """Fills, runs, shows. Exit code 1 where something failed."""
    platform = open_platform()
    if platform.name != "embedded":
        stop(f"the demo fills the sources of the profile 'embedded'; the profile is {platform.name!r}", BAD_INPUT)
    console = Console()
    _fill(console, platform, more)
    definitions = load_definitions(platform)
    outcome, tally = run(platform, definitions, "*", None)
    show(outcome, tally)
    console.print()
    show_tables(tables_of(platform, definitions))
    console.print("\nTry next:")
    for command in NEXT:
        console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"\n{time.monotonic() - BEGAN:.0f} s, {size(_peak_bytes())} at most", highlight=False)
    stop_if_failed(outcome, tally)


def _fill(console: Console, platform: Platform, more: bool) -> None:
    captured = samples.add_captures(platform)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown_on = Console(stderr=True)
    with Progress(*columns, console=shown_on, transient=True, disable=not shown_on.is_terminal) as progress:
        task = progress.add_task("user events", total=samples.EVENTS)
        written = samples.add_events(platform, lambda count: progress.advance(task, count))
    if more and not written:
        written = samples.add_more_events(platform)
    files = samples.add_files(platform)
    console.print(
        f"sources: {captured:,} recorded changes, {written:,} user events and {files} CSV files added", highlight=False
    )


def _peak_bytes() -> int:
    """The most memory that this process held; macOS counts in bytes, Linux in KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
