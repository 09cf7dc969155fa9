"""Landers are killed at every point and at any moment, alone and racing, and bronze holds every message once.

Two hundred kills in all; `make chaos` makes more of them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ..engines.log.broker import Broker, NamedLog
from .crashes import ANY_MOMENT, crash_and_restart
from .doomed import FAULTS, POINTS, REFUSED

KILLS = 25
"""Of one table: each commit costs PyIceberg more, the more snapshots there are."""


def _kills(hit: Counter[str]) -> int:
    return sum(hit[point] for point in (*POINTS, ANY_MOMENT))


def test_a_lander_killed_at_every_point_and_at_any_moment_leaves_each_message_once(tmp_path: Path) -> None:
    hit = Counter[str]()
    for seed in range(4):
        hit += crash_and_restart(tmp_path / str(seed), KILLS, seed)
    assert set(hit) == {*POINTS, ANY_MOMENT, *FAULTS}
    assert _kills(hit) == 4 * KILLS


def test_a_lander_of_kafka_that_is_killed_leaves_each_message_once(tmp_path: Path) -> None:
    hit = Counter[str]()
    for seed in range(2):
        broker = Broker()
        hit += crash_and_restart(tmp_path / str(seed), KILLS, seed, kafka=(NamedLog(broker.settings), broker.send))
    assert set(hit) >= {*POINTS, ANY_MOMENT} - {"old metadata was deleted"}
    assert _kills(hit) == 2 * KILLS


@pytest.mark.parametrize("landers", [2, 4])
def test_landers_that_race_and_are_killed_leave_each_message_once(tmp_path: Path, landers: int) -> None:
    hit = crash_and_restart(tmp_path, KILLS, seed=landers, landers=landers)
    assert _kills(hit) >= KILLS
    assert hit[REFUSED] > 0
