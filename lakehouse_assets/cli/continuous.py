"""`lakehouse run`: takes what is new, once or as it comes, and shows how long it took to every layer.

Where it stops: what a pass does is `operations/continuous.py`'s.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import typer

from lakehouse_assets.cli.failure import FAILED, stop
from lakehouse_assets.cli.output import Format, write_json, write_rows
from lakehouse_assets.cli.session import load_definitions, open_instance, open_platform
from lakehouse_assets.cli.stopped import ended_by_signal
from lakehouse_assets.operations.continuous import Pass, by_source, follow, take
from lakehouse_assets.operations.preflight import check


def run_passes(continuous: bool, names: Sequence[str], every: float, form: Format) -> None:
    """Exit code 1 where the last pass of a source failed, 2 for an unknown source."""
    of = by_source(names)
    platform = open_platform()
    definitions = load_definitions(platform)
    check(platform)

    def work(ended: threading.Event) -> list[Pass]:
        with open_instance() as instance:
            if continuous:
                return list(_told(follow(definitions, platform, instance, of, every, ended.wait), form))
            return list(_told((take(definitions, platform, instance, *each) for each in of.items()), form))

    # In the main thread Dagster would answer the signal itself, and fail the step that it is in.
    with ended_by_signal() as ended, ThreadPoolExecutor(1) as worker:
        done = worker.submit(work, ended).result()
    if form is not Format.JSON:
        _summarize(done, form)
    last = {each.source: each.problem for each in done}
    if failing := [f"{source}: {problem}" for source, problem in last.items() if problem]:
        stop(f"failed: {'; '.join(failing)}", FAILED)


def _told(passes: Iterable[Pass], form: Format) -> Iterator[Pass]:
    """Each pass as it ends: JSON has a document per line, and what failed a line on stderr."""
    for done in passes:
        at = datetime.now(UTC)
        if done.problem:
            typer.echo(f"lakehouse: {done.source}: {' '.join(done.problem.split())}", err=True)
        if form is Format.JSON:
            shown = {"source": done.source, "messages": done.messages, "seconds": done.seconds}
            write_json({"at": at, **shown, "runs": done.outcome.runs, "problem": done.problem})
        elif form is Format.TABLE and done.outcome.runs:
            took = "  ".join(f"{layer} {seconds:,.1f} s" for layer, seconds in done.seconds.items())
            typer.echo(f"{at:%H:%M:%S}  {done.source}  {done.messages:,} messages  {took}")
        yield done


def _summarize(done: Sequence[Pass], form: Format) -> None:
    """By layer, over the passes that built something of it."""
    layers = dict.fromkeys(layer for each in done for layer in each.seconds)
    took = {layer: [each.seconds[layer] for each in done if layer in each.seconds] for layer in layers}
    columns = ("layer", "passes", "median_seconds", "longest_seconds")
    rows = [(layer, len(all_), round(statistics.median(all_), 1), round(max(all_), 1)) for layer, all_ in took.items()]
    if rows:
        write_rows(form, columns, rows)
    elif form is Format.TABLE:
        typer.echo("nothing was new")
