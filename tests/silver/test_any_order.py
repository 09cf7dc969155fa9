"""Batches, reruns, late arrivals and rebuilds in any order end with what the model says, and with one fold's tables."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.fold_events import fold_events
from lakehouse_assets.silver.rebuild import rebuild_changes, rebuild_events
from lakehouse_assets.sources.messages import Message
from tests.scenario import scenario
from tests.silver.contradictions import contradicted_events
from tests.silver.lakes import State, differences, fold, open_platform, state, take

TABLES = ("bank_users", "shop_users", "clickstream_user_events")
FIRST = date(2026, 1, 5)


def messages(table_id: str, seed: int) -> list[Message]:
    table = contract(table_id)
    if table.source.kind == "events":
        return contradicted_events(seed, 40)
    return scenario(table, seed, rows=8, transactions=25, strayed=0.15, late=0.2).stream.messages


@cache
def folded_at_once(table_id: str, seed: int) -> State:
    with tempfile.TemporaryDirectory() as home, open_platform(Path(home)) as platform:
        take(platform, contract(table_id), messages(table_id, seed))
        fold(platform, contract(table_id))
        return state(platform, contract(table_id))


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._home = tempfile.TemporaryDirectory()
        self._opened = open_platform(Path(self._home.name))
        self.platform = self._opened.__enter__()

    @initialize(table_id=st.sampled_from(TABLES), seed=st.integers(0, 4))
    def begin(self, table_id: str, seed: int) -> None:
        self.table, self.seed = contract(table_id), seed
        self.waiting = messages(table_id, seed)

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 40))
    def a_batch_arrives(self, count: int) -> None:
        take(self.platform, self.table, self.waiting[:count])
        self.waiting = self.waiting[count:]

    @rule()
    def the_first_table_is_folded(self) -> None:
        (fold_events if self.table.source.kind == "events" else fold_changes)(self.platform, self.table)

    @precondition(lambda self: self.table.source.kind == "cdc")
    @rule()
    def the_current_table_is_folded(self) -> None:
        fold_current(self.platform, self.table)

    @rule(first=st.integers(0, 4), days=st.integers(0, 2))
    def days_are_rebuilt(self, first: int, days: int) -> None:
        rebuild = rebuild_events if self.table.source.kind == "events" else rebuild_changes
        day = FIRST + timedelta(days=first)
        rebuild(self.platform, self.table, day, day + timedelta(days=days))

    def teardown(self) -> None:
        try:
            take(self.platform, self.table, self.waiting)
            fold(self.platform, self.table)
            assert differences(self.platform, self.table) == []
            assert state(self.platform, self.table) == folded_at_once(self.table.id, self.seed)
        finally:
            self._opened.__exit__(None, None, None)
            self._home.cleanup()


AnyOrder.TestCase.settings = settings(max_examples=20, stateful_step_count=7, deadline=None, derandomize=True)
TestAnyOrder = AnyOrder.TestCase
