"""`lakehouse events` goes on where the log ends, and says the same for the same seed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cli.conftest import Lakehouse


def _messages(home: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for path in sorted(home.glob("events/user-events/*.jsonl")) for line in path.open("rb")]


def test_a_count_is_written_at_once(lakehouse: Lakehouse, home: Path) -> None:
    assert "120 events written" in lakehouse("events", "--count", "120").stdout
    assert len(_messages(home)) == 120


def test_the_same_seed_writes_the_same_events(lakehouse: Lakehouse, home: Path) -> None:
    written = []
    for seed in ("1", "1", "2"):
        for path in home.glob("events/user-events/*.jsonl"):
            path.unlink()
        lakehouse("events", "--count", "50", "--seed", seed)
        lakehouse("events", "--count", "50", "--seed", seed)
        written.append([(m["partition"], m["offset"], m["ts"], m["payload"]) for m in _messages(home)])
    assert written[0] == written[1]
    assert written[0] != written[2]


def test_a_second_call_goes_on_in_time_and_offsets_with_new_identifiers(lakehouse: Lakehouse, home: Path) -> None:
    lakehouse("events", "--count", "100")
    first = _messages(home)
    lakehouse("events", "--count", "100")
    both = _messages(home)
    later = [m for m in both if m not in first]
    assert len({orjson.loads(m["payload"])["event_id"] for m in both}) == 200
    assert min(m["ts"] for m in later) >= max(m["ts"] for m in first)
    for partition in range(3):
        offsets = [m["offset"] for m in both if m["partition"] == partition]
        assert offsets == list(range(len(offsets)))


def test_what_would_lie_too_far_ahead_is_not_written(lakehouse: Lakehouse, home: Path) -> None:
    assert lakehouse("events", "--count", "1000000", "--rate", "0.01").exit_code == 2
    assert _messages(home) == []


@pytest.mark.parametrize("ends", [("--duration", "0.5"), ()])
def test_a_live_producer_ends_in_good_order(home: Path, ends: tuple[str, ...]) -> None:
    """By itself after its duration, or at Ctrl-C."""
    command = [sys.executable, "-m", "lakehouse_assets.cli.main", "events", "--rate", "500", *ends]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) as producer:
        if not ends:
            while not _messages(home):
                assert producer.poll() is None
            producer.send_signal(signal.SIGINT)
        said = producer.communicate(timeout=60)[0]
    assert producer.returncode == 0
    assert f"{len(_messages(home)):,} events written" in said
    assert all(line.endswith(b"\n") for path in home.glob("events/*/*.jsonl") for line in path.open("rb"))
