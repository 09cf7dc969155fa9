"""One scenario for every contract: awkward messages of a captured table, or of the event stream, and their truth.

Where it stops: it writes nothing; `lakehouse_assets.sources.writer.append` puts the messages into a log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.sources.change_stream import ChangeStream, change_stream
from lakehouse_assets.sources.changes import Knobs
from lakehouse_assets.sources.events import EventBatch, EventStream, Traffic
from lakehouse_assets.sources.files import RetailHistory, retail_history

AWKWARD = Knobs(
    rows=25,
    transactions=60,
    truncates=1,
    awkward=0.4,
    broken=0.1,
    large=0.3,
    interleaved=0.3,
    late=0.1,
    restarts=2,
    holes=0.05,
)


@dataclass(frozen=True)
class Scenario:
    """A captured table, the awkward messages about it, and what must come of them."""

    table: Table
    stream: ChangeStream


def scenario(table: Table, seed: int, **knobs: object) -> Scenario:
    """Everything goes wrong at once; `knobs` change single settings of `AWKWARD`, e.g. `truncates=0`."""
    return Scenario(table, change_stream(table, seed, replace(AWKWARD, **knobs)))  # type: ignore[arg-type]


def calm(table: Table, seed: int, **knobs: object) -> Scenario:
    """The same life of a table told once and in order."""
    quiet = replace(AWKWARD, truncates=0, broken=0.0, late=0.0, restarts=0, holes=0.0)
    return Scenario(table, change_stream(table, seed, replace(quiet, **knobs)))  # type: ignore[arg-type]


def events(seed: int, count: int = 500, days: int = 3) -> EventBatch:
    """Events over some days with duplicates, late ones, unreadable ones and ones that break a rule."""
    rate = count / (days * 86_400)
    return EventStream(Traffic(seed=seed, rate=rate, duplicates=0.05, dead=0.03, rejected=0.08, late=0.05)).take(count)


def retail(seed: int, increments: int = 2) -> RetailHistory:
    """A small chain: a first delivery and a few days' increments."""
    return retail_history(seed, date(2026, 1, 31), customers=20, products=8, orders=60, increments=increments)
