"""A run whose process is killed in the middle of a step holds nobody up, and is told to have failed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.definitions import build
from lakehouse_assets.engines.clickhouse.client import stop
from lakehouse_assets.operations.broken_off import SAID, running, settle
from lakehouse_assets.operations.materialize import increment
from lakehouse_assets.profiles import embedded
from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.sources.events import EventStream, Traffic
from lakehouse_assets.sources.writer import append

CONFIGURATION = Path(__file__).resolve().parents[2] / "dagster.yaml"
EVENTS = "key:bronze/clickstream_user_events"
KILLED = f"""
import os, signal
from lakehouse_assets.bronze import assets
assets.land = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
from lakehouse_assets.cli.main import app
app(["materialize", {EVENTS!r}])
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    messages = EventStream(Traffic(seed=1, start=datetime(2026, 1, 5, tzinfo=UTC), rate=1)).take(50).messages
    append(tmp_path / "events", messages)
    yield tmp_path
    stop(tmp_path)


def test_a_run_that_was_killed_in_a_step_is_told_to_have_failed_and_its_pool_is_free(home: Path) -> None:
    settings = {"LAKEHOUSE_HOME": str(home), "LAKEHOUSE_DAGSTER_YAML": str(CONFIGURATION)}
    killed = subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, **settings}, check=False)
    assert killed.returncode == -signal.SIGKILL
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        [run] = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.STARTED
        assert _slots(instance) == {run.run_id}
        platform = embedded.platform(Settings(home=home))
        done = increment(build(platform), platform, instance, EVENTS)
        platform.open_catalog().close()
        assert done.success
        ended = instance.get_run_by_id(run.run_id)
        assert ended is not None
        assert ended.status == dg.DagsterRunStatus.FAILURE
        assert SAID in " ".join(str(entry.dagster_event) for entry in instance.all_logs(run.run_id))
        assert _slots(instance) == set()


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    @dg.job
    def nothing() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        with running(tmp_path, run.run_id):
            assert settle(instance, tmp_path) == []
        assert settle(instance, tmp_path) == []
        after = instance.get_run_by_id(run.run_id)
        assert after is not None
        assert after.status == dg.DagsterRunStatus.STARTED


def _slots(instance: dg.DagsterInstance) -> set[str]:
    """The runs that hold the place of the events' writer."""
    return {
        slot.run_id
        for slot in instance.event_log_storage.get_concurrency_info("bronze_clickstream_user_events").claimed_slots
    }
