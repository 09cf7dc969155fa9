"""Batches, reruns and rebuilds of events in any order end with what the model says, and with one fold's tables.

The same of changes, on random tables and with more that goes wrong, is `tests/histories`'.
"""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.silver.fold_events import fold_events
from lakehouse_assets.silver.rebuild import rebuild_events
from tests.silver.contradictions import contradicted_events
from tests.silver.lakes import State, differences, fold, open_platform, state, take

EVENTS = contract("clickstream_user_events")
FIRST = date(2026, 1, 5)


@cache
def folded_at_once(seed: int) -> State:
    with tempfile.TemporaryDirectory() as home, open_platform(Path(home)) as platform:
        take(platform, EVENTS, contradicted_events(seed, 40))
        fold(platform, EVENTS)
        return state(platform, EVENTS)


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._home = tempfile.TemporaryDirectory()
        self._opened = open_platform(Path(self._home.name))
        self.platform = self._opened.__enter__()

    @initialize(seed=st.integers(0, 4))
    def begin(self, seed: int) -> None:
        self.seed = seed
        self.waiting = contradicted_events(seed, 40)

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 40))
    def a_batch_arrives(self, count: int) -> None:
        take(self.platform, EVENTS, self.waiting[:count])
        self.waiting = self.waiting[count:]

    @rule()
    def they_are_folded(self) -> None:
        fold_events(self.platform, EVENTS)

    @rule(first=st.integers(0, 4), days=st.integers(0, 2))
    def days_are_rebuilt(self, first: int, days: int) -> None:
        day = FIRST + timedelta(days=first)
        rebuild_events(self.platform, EVENTS, day, day + timedelta(days=days))

    def teardown(self) -> None:
        try:
            take(self.platform, EVENTS, self.waiting)
            fold(self.platform, EVENTS)
            assert differences(self.platform, EVENTS) == []
            assert state(self.platform, EVENTS) == folded_at_once(self.seed)
        finally:
            self._opened.__exit__(None, None, None)
            self._home.cleanup()


AnyOrder.TestCase.settings = settings(max_examples=10, stateful_step_count=7, deadline=None, derandomize=True)
TestAnyOrder = AnyOrder.TestCase
