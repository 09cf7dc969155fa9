"""A backfill gives what increments gave, goes on where it stopped, and is refused where days are gone."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import Any

import pytest

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, commit, marks
from lakehouse_assets.operations import backfill
from lakehouse_assets.operations.backfill import Backfill, pieces
from lakehouse_assets.operations.materialize import Outcome
from lakehouse_assets.silver import rebuild as silver_rebuild
from lakehouse_assets.silver.fold_events import fold_events
from lakehouse_assets.silver.rebuild import CannotRebuild
from tests.end_to_end.differences import gold, mart, silver
from tests.end_to_end.lakehouse import Lakehouse, Rows
from tests.operations.conftest import START, add_events

EVENTS, BRONZE = "silver.clickstream_user_events", "bronze.clickstream_user_events"
FED_BY_EVENTS = (
    "conversion_rate_daily",
    "daily_active_users",
    "events_per_source_daily",
    "purchases_per_page_daily",
)
FIRST, LAST = date(2026, 1, 5), date(2026, 1, 7)


def _plan(lakehouse: Lakehouse, selection: str = "silver/clickstream_user_events", at_once: int = 2) -> Backfill:
    return backfill.plan(lakehouse.definitions, lakehouse.platform, selection, FIRST, LAST, at_once)


def differing(lakehouse: Lakehouse) -> list[str]:
    """Where the events, or what is made of them, differ from the model."""
    inputs = lakehouse.inputs()
    made = [text for name in FED_BY_EVENTS for layer in (mart, gold) for text in layer(lakehouse, inputs, name)]
    return [*silver(lakehouse, inputs, "clickstream_user_events"), *made]


def _run(lakehouse: Lakehouse, planned: Backfill) -> Outcome:
    return backfill.run(lakehouse.definitions, lakehouse.platform, lakehouse.instance, planned)


def test_pieces_are_the_days_each_once() -> None:
    for at_once in (1, 2, 3, 40):
        cut = [*pieces(FIRST, LAST, at_once)]
        assert [a + timedelta(days=n) for a, b in cut for n in range((b - a).days + 1)] == [
            FIRST + timedelta(days=n) for n in range(3)
        ]


def test_a_backfill_of_everything_changes_no_row(lakehouse: Lakehouse) -> None:
    planned = _plan(lakehouse, "*", at_once=40)
    before = lakehouse.snapshots()
    assert _run(lakehouse, planned).success, lakehouse.errors
    told = backfill.summary(lakehouse.platform, planned)
    assert {t.table for t in told} >= {EVENTS, "silver.bank_users_changes", "marts.daily_active_users"}
    assert [t for t in told if t.rows_before != t.rows_after or t.rows_changed] == []
    assert lakehouse.snapshots()[EVENTS] != before[EVENTS]
    assert differing(lakehouse) == []


def test_what_was_damaged_is_mended_from_silver_to_gold(lakehouse: Lakehouse) -> None:
    def damage(rows: Rows) -> Rows:
        return [{**r, "source": "web"} if r["event_date"] == date(2026, 1, 6) else r for r in rows]

    wrong = sum(r["event_date"] == date(2026, 1, 6) and r["source"] != "web" for r in lakehouse.rows(EVENTS))
    lakehouse.tamper(EVENTS, damage)
    planned = _plan(lakehouse)
    assert {"marts/daily_active_users", "gold/daily_active_users"} <= set(planned.assets)
    assert _run(lakehouse, planned).success, lakehouse.errors
    [told] = [t for t in backfill.summary(lakehouse.platform, planned) if t.table == EVENTS]
    assert told.rows_after == told.rows_before > told.rows_changed == wrong > 0
    assert lakehouse.increment().success, lakehouse.errors
    assert differing(lakehouse) == []


def test_a_backfill_that_failed_goes_on_with_the_step_that_failed(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilt, built = [], silver_rebuild._rebuild

    def failing(platform: Any, table: Any, spec: Any, days: Any, *others: Any) -> Any:
        rebuilt.append(days.first)
        if days.first == LAST and len(rebuilt) == 2:
            raise OSError("the disk is full")
        return built(platform, table, spec, days, *others)

    monkeypatch.setattr(silver_rebuild, "_rebuild", failing)
    planned = _plan(lakehouse)
    steps = len(planned.steps)
    assert not _run(lakehouse, planned).success
    again = _plan(lakehouse)
    assert (len(again.steps), len(again.done), again.before) == (steps - 1, 1, planned.before)
    assert _run(lakehouse, again).success
    assert rebuilt == [FIRST, LAST, LAST]
    lakehouse.errors.clear()
    assert (_plan(lakehouse).done, planned.note.exists()) == ((), False)
    assert differing(lakehouse) == []


def test_landing_and_folding_go_on_beside_a_backfill(lakehouse: Lakehouse) -> None:
    events = contract("clickstream_user_events")

    def go_on() -> None:
        for n in range(4):
            add_events(lakehouse, START + timedelta(hours=12), 10, 100, seed=60 + n)
            land(lakehouse.platform, events)
            fold_events(lakehouse.platform, events)

    beside = threading.Thread(target=go_on)
    beside.start()
    done = _run(lakehouse, _plan(lakehouse, at_once=1))
    beside.join()
    assert done.success, lakehouse.errors
    assert lakehouse.increment().success, lakehouse.errors
    assert differing(lakehouse) == []


@pytest.mark.parametrize(
    ("selection", "parent"), [("silver/clickstream_user_events", BRONZE), ("marts/daily_active_users", EVENTS)]
)
def test_days_that_are_gone_are_refused_before_anything_runs(lakehouse: Lakehouse, selection: str, parent: str) -> None:
    with lakehouse.undone():
        held = lakehouse.table(parent)
        commit(held, summary={DROPPED_THROUGH: "2026-01-04" if parent == BRONZE else "2026-01-05"})
        before = lakehouse.snapshots()
        with pytest.raises(CannotRebuild, match="the oldest day that can be rebuilt is 2026-01-06"):
            _plan(lakehouse, selection)
        with pytest.raises(CannotRebuild):
            lakehouse.rebuild(FIRST, LAST, selection)
        assert lakehouse.snapshots() == before
    assert DROPPED_THROUGH not in marks(lakehouse.table(parent))
