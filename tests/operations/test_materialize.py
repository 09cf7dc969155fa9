"""Which runs an increment needs: of neighbouring days one, and of days that no mart awaits none."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.operations.materialize import UnknownSelection, below_days, select, stretches, touched
from tests.end_to_end.lakehouse import Lakehouse
from tests.operations.conftest import START, add_events

EVENTS = "key:bronze/clickstream_user_events or key:silver/clickstream_user_events"
FED_BY_EVENTS = {"conversion_rate_daily", "daily_active_users", "events_per_source_daily", "purchases_per_page_daily"}


@given(st.sets(st.dates(date(2025, 12, 1), date(2026, 1, 31))))
def test_stretches_hold_the_days_and_no_other(days: set[date]) -> None:
    held = [a + timedelta(days=n) for a, b in stretches(days) for n in range((b - a).days + 1)]
    assert held == sorted(days)


@given(st.lists(st.dates(date(2025, 12, 1), date(2026, 1, 31))))
def test_no_two_stretches_could_be_one(days: list[date]) -> None:
    assert all((later[0] - earlier[1]).days > 1 for earlier, later in pairwise(stretches(days)))


def test_nothing_new_touches_no_day(lakehouse: Lakehouse) -> None:
    assert list(touched(lakehouse.platform, below_days(lakehouse.definitions))) == []


def test_marts_and_gold_that_await_the_same_days_run_together(lakehouse: Lakehouse) -> None:
    for day in (10, 11, 20):
        add_events(lakehouse, START + timedelta(days=day, hours=12), 5, 10_000, seed=day)
    assert lakehouse.increment(EVENTS).success, lakehouse.errors
    found = list(touched(lakehouse.platform, below_days(lakehouse.definitions)))
    by_mart = {mart: {days for keys, days in found if dg.AssetKey(["marts", mart]) in keys} for mart in FED_BY_EVENTS}
    first, last = (date(2026, 1, 15), date(2026, 1, 16)), (date(2026, 1, 25), date(2026, 1, 25))
    assert by_mart == {mart: {first, last} for mart in FED_BY_EVENTS}
    assert all({key.path[0] for key in keys} == {"marts", "gold"} for keys, _ in found)
    done = lakehouse.increment()
    assert (done.success, set(done.days)) == (True, {first, last})


def test_only_the_chosen_marts_are_run(lakehouse: Lakehouse) -> None:
    add_events(lakehouse, datetime(2026, 2, 10, 12, tzinfo=START.tzinfo), 5, 10_000, seed=40)
    assert lakehouse.increment(EVENTS).success, lakehouse.errors
    chosen = {dg.AssetKey(["marts", "daily_active_users"])}
    assert list(touched(lakehouse.platform, chosen)) == [(chosen, (date(2026, 2, 10), date(2026, 2, 10)))]


@pytest.mark.parametrize("selection", ["silver/nothing", "group:golden", "((", "key:sources/bank_users"])
def test_a_selection_of_nothing_is_refused_by_its_name(lakehouse: Lakehouse, selection: str) -> None:
    with pytest.raises(UnknownSelection) as refused:
        select(lakehouse.definitions, selection)
    assert repr(selection) in str(refused.value)


def test_a_rebuild_of_what_has_no_days_is_refused(lakehouse: Lakehouse) -> None:
    with pytest.raises(UnknownSelection, match="silver/bank_users"):
        lakehouse.rebuild(date(2026, 1, 5), date(2026, 1, 5), "silver/bank_users")
