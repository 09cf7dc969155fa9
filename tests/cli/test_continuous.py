"""`lakehouse run --continuous` takes what comes in one process, and ends between two increments when it is told to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.contracts.registry import table
from lakehouse_assets.operations.broken_off import FOLDER
from lakehouse_assets.operations.continuous import follow
from lakehouse_assets.sources.events import EventStream, Traffic
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append
from tests.cli.conftest import Lakehouse
from tests.end_to_end.lakehouse import open_lakehouse

COMMAND = [sys.executable, "-m", "lakehouse_assets.cli.main", "run", "--continuous", "--source", "clickstream"]
LAYERS = ["bronze", "silver", "marts", "gold"]
PATIENCE_SECONDS = 120


def _feed(home: Path, seed: int, start: datetime) -> list[Message]:
    told = EventStream(Traffic(seed=seed, start=start, rate=1)).take(30).messages
    append(home / "events", told)
    return told


def test_what_comes_is_taken_to_gold_and_a_signal_lets_the_increment_end(home: Path) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=1)
    told = _feed(home, 1, begun)
    with subprocess.Popen(
        [*COMMAND, "--every", "0.1", "--format", "json"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        told += _feed(home, 2, begun)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not list((home / FOLDER).glob("*")):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        second, *rest = [json.loads(line) for line in process.stdout]
        assert process.wait(PATIENCE_SECONDS) == 0
    assert ([first["messages"], second["messages"]], rest) == ([30, 30], [])
    assert [first["problem"], second["problem"]] == [None, None]
    for seconds in (first["seconds"], second["seconds"]):
        assert list(seconds) == LAYERS
        assert sorted(seconds.values()) == list(seconds.values())
        assert 0 < seconds["bronze"] <= seconds["gold"] < (datetime.now(UTC) - begun).total_seconds()
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        runs = instance.get_runs()
    assert {run.run_id for run in runs} == {*first["runs"], *second["runs"]}
    assert {run.tags["lakehouse/job"] for run in runs} == {"materialize"}
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    events = [json.loads(message.value or b"") for message in told]
    with open_lakehouse(home) as after:
        assert sorted(row["event_id"] for row in after.rows("silver.clickstream_user_events")) == sorted(
            event["event_id"] for event in events
        )
        gold = {row["event_date"]: row["dau_count"] for row in after.gold("daily_active_users")}
        assert {day: gold[day] for day in gold if gold[day]} == _active(events)
        assert after.increment("key:bronze/clickstream_user_events+").runs == ()


def test_a_source_that_fails_waits_longer_and_longer_and_holds_up_no_other(tmp_path: Path) -> None:
    with open_lakehouse(tmp_path) as lakehouse:
        _feed(tmp_path, 1, datetime(2026, 1, 5, tzinfo=UTC))
        broken = tmp_path / "events" / "bank.public.users"
        broken.mkdir()
        (broken / "0.jsonl").write_bytes(b"{ this is no message\n")
        looks: list[float] = []

        def wait(seconds: float) -> bool:
            looks.extend([seconds] if seconds else [])
            return len(looks) > 4

        of = {"bank": [table("bank_users")], "clickstream": [table("clickstream_user_events")]}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lakehouse_assets.operations.continuous.below", lambda ids: f"key:bronze/{ids[0]}")
            told = list(follow(lakehouse.definitions, lakehouse.platform, lakehouse.instance, of, 60.0, wait))
    assert [(each.source, each.messages, each.problem is None) for each in told] == [
        ("bank", 0, False),
        ("clickstream", 30, True),
    ]
    assert "0.jsonl, line 1" in (told[0].problem or "")
    assert looks == [60.0] * 5


def test_an_unknown_source_is_answered_with_the_known_ones(lakehouse: Lakehouse, home: Path) -> None:
    result = lakehouse("run", "--source", "bonk")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "lakehouse: no source bonk; there are bank, clickstream, retail, shop\n"
    assert not (home / "dagster").exists()


def _active(events: list[dict[str, object]]) -> dict[date, int]:
    users: dict[date, set[object]] = defaultdict(set)
    for event in events:
        users[date.fromisoformat(str(event["timestamp"])[:10])].add(event["user_id"])
    return {day: len(found) for day, found in users.items()}
