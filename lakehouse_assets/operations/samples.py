"""What `lakehouse demo` fills the sources with: recorded database changes, generated user events and CSV files.

Each source is filled once: a second call finds it and adds nothing. Where it stops: it writes to the log and the
folders of the embedded profile; landing is bronze's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import Mendable
from lakehouse_assets.operations.traffic import log_end, stream_seed
from lakehouse_assets.sources.events import TOPIC, EventStream, Traffic
from lakehouse_assets.sources.files import SOURCE, retail_history, write_delivery
from lakehouse_assets.sources.writer import append, copy_capture

CAPTURES = ("bank-string", "shop-string")
DAYS, RETAIL_DAYS = 30, 90
EVENTS = 205_000
MORE_EVENTS = 2_000
TRAFFIC = Traffic(rate=EVENTS / (DAYS * 86_400), duplicates=0.01, dead=0.002, rejected=0.003, late=0.02)
_SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"


class NoSamples(Mendable):
    """The recorded changes are not there; the message says where they belong."""


def add_captures(platform: Platform, samples: Path = _SAMPLES) -> int:
    """The recorded changes of the bank and the shop, from where the log's copies end. Raises NoSamples."""
    missing = [name for name in CAPTURES if not (samples / name).is_dir()]
    if missing:
        raise NoSamples(f"{samples} has no {' and no '.join(missing)}: the demo runs from a checkout of the project")
    events = platform.home / "events"
    return sum(sum(copy_capture(samples / name, events).values()) for name in CAPTURES)


def add_events(platform: Platform, wrote: Callable[[int], None] = lambda _: None, now: datetime | None = None) -> int:
    """User events of the last thirty days, where the log has none yet: whole or not at all."""
    if log_end(platform.log).offsets:
        return 0
    until = now or datetime.now(UTC)
    events = platform.home / "events"
    events.mkdir(parents=True, exist_ok=True)
    stream = EventStream(replace(TRAFFIC, start=until - timedelta(days=DAYS)))
    written = 0
    with tempfile.TemporaryDirectory(prefix=".events-", dir=platform.home) as beside:
        for day in range(1, DAYS + 1):
            messages = stream.until(until - timedelta(days=DAYS - day)).messages
            append(Path(beside), messages)
            written += len(messages)
            wrote(len(messages))
        (Path(beside) / TOPIC).replace(events / TOPIC)
    return written


def add_more_events(platform: Platform, count: int = MORE_EVENTS, now: datetime | None = None) -> int:
    """That many further events, spread from the log's end to now."""
    end = log_end(platform.log)
    until = now or datetime.now(UTC)
    start = end.at or until - timedelta(days=1)
    rate = count / max(1.0, (until - start).total_seconds())
    stream = EventStream(replace(TRAFFIC, seed=stream_seed(TRAFFIC.seed, end), start=start, rate=rate))
    append(platform.home / "events", stream.take(count).messages)
    return count


def add_files(platform: Platform, now: datetime | None = None) -> int:
    """The retail chain's first deliveries, where its folder is empty; the number of files."""
    folder = platform.home / "files"
    if any((folder / SOURCE).glob("*/*.csv")):
        return 0
    history = retail_history(TRAFFIC.seed, (now or datetime.now(UTC)).date(), days=RETAIL_DAYS)
    return sum(len(write_delivery(folder, delivery)) for delivery in history.deliveries)
