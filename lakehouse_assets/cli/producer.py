"""`lakehouse events`: shows how many events were written. Where it stops: writing is `operations/traffic.py`'s."""

from __future__ import annotations

import signal
import threading

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lakehouse_assets.cli.session import open_platform
from lakehouse_assets.operations.traffic import appender, log_end, write_count, write_live
from lakehouse_assets.sources.events import TOPIC, Traffic


def produce(rate: float, duration: float | None, count: int | None, seed: int, users: int) -> None:
    """Appends to the platform's event log: files of the embedded profile, Kafka of the stack."""
    platform = open_platform()
    log, append = platform.log, appender(platform)
    traffic = Traffic(seed=seed, rate=rate, users=users)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{TOPIC}, Ctrl-C ends it" if count is None else TOPIC, total=count)

        def wrote(more: int) -> None:
            progress.advance(task, more)

        if count is None:
            write_live(append, log, traffic, _ended_by_signal().wait, duration, wrote)
        else:
            write_count(append, log, traffic, count, wrote)
        written = int(progress.tasks[task].completed)
    end = log_end(log)
    at = f", the last one of {end.at:%Y-%m-%d %H:%M:%S} UTC" if end.at else ""
    Console().print(f"{written:,} events written; {TOPIC} holds {end.offsets:,}{at}", highlight=False)


def _ended_by_signal() -> threading.Event:
    """Set by Ctrl-C or a termination, so that what is being written is written whole."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended
