"""A lakehouse that grew in batches equals the model; running again changes nothing, and rebuilding gives the same."""

from __future__ import annotations

from datetime import date

import pytest

from lakehouse_assets.engines.clickhouse import publish
from lakehouse_assets.engines.dbt import runner
from lakehouse_assets.operations.automation import INCREMENT
from tests.end_to_end.differences import differences
from tests.end_to_end.lakehouse import Lakehouse, Rows

WHEN_WRITTEN = frozenset({"load_sequence", "updated_at", "rejected_at"})
DAYS = {"change_date", "event_date", "order_date", "date"}


def timeless(lakehouse: Lakehouse) -> dict[str, list[str]]:
    """The rows of every table but for when they were written."""

    def told(rows: Rows) -> list[str]:
        return sorted(repr({c: v for c, v in row.items() if c not in WHEN_WRITTEN}) for row in rows)

    return {identifier: told(lakehouse.rows(identifier)) for identifier in lakehouse.tables()}


def days_of(lakehouse: Lakehouse) -> tuple[date, date]:
    """The first and the last day that any date-grained table has."""
    by_day = ["silver.clickstream_user_events", "marts.daily_sales_summary", "marts.daily_metrics"]
    by_day += [t for t in lakehouse.tables() if t.endswith("_changes")]
    days = [row[column] for t in by_day for row in lakehouse.rows(t) for column in DAYS & row.keys() if row[column]]
    plain = [date(day.year, day.month, day.day) for day in days]
    return min(plain), max(plain)


def test_every_layer_equals_the_model(grown: Lakehouse) -> None:
    assert differences(grown, grown.inputs()) == []


def test_a_second_run_changes_nothing(grown: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run", None)
    monkeypatch.setattr(publish._Publisher, "_load", None)
    before = grown.snapshots(), grown.gold_versions()
    assert grown.increment().success, grown.errors
    everyday = grown.definitions.resolve_job_def(INCREMENT).execute_in_process(instance=grown.instance)

    assert everyday.success
    assert (grown.snapshots(), grown.gold_versions()) == before


def test_a_rebuild_of_all_days_equals_the_increments(grown: Lakehouse) -> None:
    rows, snapshots = timeless(grown), grown.snapshots()
    assert grown.rebuild(*days_of(grown)).success, grown.errors
    rebuilt = {identifier for identifier, snapshot in grown.snapshots().items() if snapshots[identifier] != snapshot}

    assert {t for t in rows if t.endswith("_changes")} <= rebuilt
    assert timeless(grown) == rows
    assert differences(grown, grown.inputs()) == []
