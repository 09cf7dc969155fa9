"""The job `increment` does what `lakehouse materialize` does, from a run of its own that asks for no partition."""

from __future__ import annotations

from datetime import date

import dagster as dg

from lakehouse_assets.operations.automation import INCREMENT
from tests.end_to_end.lakehouse import Lakehouse
from tests.operations.conftest import Run, run_job

NO_DAYS = {"daily_metrics", "daily_sales_summary"}
"""Marts by day of the sources that have no row here."""


def test_the_first_run_materializes_everything_that_has_days(first_run: Run) -> None:
    lakehouse = first_run.lakehouse
    assert first_run.result.success, lakehouse.errors
    graph = lakehouse.definitions.resolve_asset_graph()
    events = {k: lakehouse.instance.get_latest_materialization_event(k) for k in graph.materializable_asset_keys}
    assert {key.path[-1] for key, event in events.items() if event is None} == NO_DAYS


def test_the_days_of_marts_are_built_and_published(first_run: Run) -> None:
    days = {row["event_date"] for row in first_run.lakehouse.rows("marts.daily_active_users")}
    assert {date(2026, 1, day) for day in (5, 6, 7)} <= days
    assert days == {row["event_date"] for row in first_run.lakehouse.gold("daily_active_users")}


def test_no_partition_is_needed(first_run: Run) -> None:
    assert first_run.lakehouse.definitions.resolve_job_def(INCREMENT).partitions_def is None


def test_without_news_it_succeeds_and_runs_nothing(lakehouse: Lakehouse) -> None:
    before = lakehouse.instance.get_runs_count()
    assert run_job(lakehouse).success
    assert lakehouse.instance.get_runs_count() == before + 1


def test_a_check_of_error_severity_fails_it_by_name(lakehouse: Lakehouse) -> None:
    folder = lakehouse.home / "files" / "retail" / "products"
    folder.mkdir(parents=True, exist_ok=True)
    wrong = "".join(f"{n},x,y,-1,1\n" for n in range(9_000, 9_500))
    (folder / "wrong.csv").write_text(f"product_id,product_name,category,price,cost\n{wrong}")
    result = run_job(lakehouse)
    assert not result.success
    assert "silver/retail_products: rejects_stay_below_the_threshold" in _reason(result)


def _reason(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [e.step_failure_data for e in result.all_events if e.is_step_failure]
    assert failure.user_failure_data is not None
    return failure.user_failure_data.description or ""
