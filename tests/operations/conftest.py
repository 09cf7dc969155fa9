"""One small lakehouse that the increment job filled; each test brings the news that it wants to see taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import pytest

from lakehouse_assets.contracts.registry import table
from lakehouse_assets.operations.automation import INCREMENT
from lakehouse_assets.sources.events import EventStream, Traffic
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append
from tests.end_to_end.lakehouse import Lakehouse, open_lakehouse
from tests.scenario import calm

START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Run:
    """The lakehouse after the first run of the job, and what came of the run."""

    lakehouse: Lakehouse
    result: dg.ExecuteInProcessResult


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Three days of events and a life of the bank's users."""
    with open_lakehouse(tmp_path_factory.mktemp("operated")) as opened:
        add_events(opened, START, 300, 100)
        append(opened.home / "events", calm(table("bank_users"), 2, rows=10, transactions=10).stream.messages)
        yield Run(opened, run_job(opened))


@pytest.fixture
def lakehouse(first_run: Run) -> Lakehouse:
    """With nothing new in it."""
    opened = first_run.lakehouse
    done = opened.increment()
    assert done.success, opened.errors
    return opened


def run_job(opened: Lakehouse) -> dg.ExecuteInProcessResult:
    """The job as the UI starts it, without a partition."""
    job = opened.definitions.resolve_job_def(INCREMENT)
    return job.execute_in_process(instance=opened.instance, raise_on_error=False)


def add_events(opened: Lakehouse, start: datetime, count: int, a_day: float, seed: int = 1) -> list[Message]:
    """That many events from `start` on, at the ends of the log's partitions."""
    told = EventStream(Traffic(seed=seed, start=start, rate=a_day / 86_400)).take(count).messages
    append(opened.home / "events", told)
    return told
