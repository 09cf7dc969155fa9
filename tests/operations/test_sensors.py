"""Each source's sensor asks for one run of what is new, and says why where it asks for none."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.bronze.assets import source_key
from lakehouse_assets.contracts.registry import table
from lakehouse_assets.definitions import build
from lakehouse_assets.operations import sensors
from lakehouse_assets.operations.freshness import FRESH
from lakehouse_assets.profiles import embedded
from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.sources.files import write_delivery
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append
from tests.end_to_end.lakehouse import Lakehouse, open_lakehouse
from tests.operations.conftest import START, Run, add_events
from tests.scenario import calm, retail

EVENTS = source_key(table("clickstream_user_events"))
SILVER, MART = "silver.clickstream_user_events", "daily_active_users"
HEARTBEATS = "__debezium-heartbeat.bank"


def _tick(lakehouse: Lakehouse, source: str, cursor: str | None = None) -> Any:
    """One evaluation as the daemon makes it."""
    sensor = lakehouse.definitions.resolve_sensor_def(f"{source}_has_news")
    with dg.build_sensor_context(instance=lakehouse.instance, cursor=cursor) as context:
        return sensor.evaluate_tick(context)


def _run(lakehouse: Lakehouse, request: dg.RunRequest) -> bool:
    """The run as the daemon launches it."""
    job = lakehouse.definitions.resolve_job_def("increment")
    made = job.execute_in_process(
        instance=lakehouse.instance, run_config=request.run_config, tags=request.tags, raise_on_error=False
    )
    return made.success


def _tables(request: dg.RunRequest) -> list[str]:
    found: list[str] = request.run_config["ops"]["take_what_is_new"]["config"]["tables"]
    return found


def test_new_events_are_asked_for_once_and_taken_by_that_run(lakehouse: Lakehouse) -> None:
    before = len(lakehouse.rows(SILVER))
    add_events(lakehouse, START, 40, 100, seed=41)
    append(lakehouse.home / "events", calm(table("shop_products"), 7, rows=3, transactions=2).stream.messages)
    [request] = _tick(lakehouse, "clickstream").run_requests
    assert request.tags["lakehouse/lag_messages"] == "40"
    assert float(request.tags["lakehouse/lag_seconds"]) > 0
    assert [r.run_key for r in _tick(lakehouse, "clickstream").run_requests] == [request.run_key]
    products = lakehouse.snapshots().get("bronze.shop_products")
    assert _run(lakehouse, request)
    assert len(lakehouse.rows(SILVER)) == before + 40
    users = {row["event_date"]: row["dau_count"] for row in lakehouse.rows(f"marts.{MART}")}
    assert {row["event_date"]: row["dau_count"] for row in lakehouse.gold(MART)} == users
    assert lakehouse.snapshots().get("bronze.shop_products") == products
    again = _tick(lakehouse, "clickstream")
    assert (again.run_requests, again.skip_message) == ([], "nothing is new")


def test_while_a_run_goes_on_none_is_asked_for(first_run: Run) -> None:
    lakehouse = first_run.lakehouse
    add_events(lakehouse, START, 3, 100, seed=2)
    [request] = _tick(lakehouse, "clickstream").run_requests
    job = lakehouse.definitions.resolve_job_def("increment")
    run = lakehouse.instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.STARTED)
    try:
        assert _tick(lakehouse, "clickstream").skip_message == f"run {run.run_id[:8]} is under way"
    finally:
        lakehouse.instance.delete_run(run.run_id)


def test_a_run_that_failed_is_tried_again_by_another_key_after_a_pause(tmp_path: Path) -> None:
    refused = [Message("user-events", 0, n, 1_767_571_200_000 + n, b"1", b"no JSON") for n in range(1_100)]
    append(tmp_path / "events", refused)
    with open_lakehouse(tmp_path) as flooded:
        [first] = _tick(flooded, "clickstream").run_requests
        assert _tables(first) == ["clickstream_user_events"]
        assert not _run(flooded, first)
        [second] = _tick(flooded, "clickstream").run_requests  # its table was made meanwhile: another state
        assert not _run(flooded, second)
        paused = _tick(flooded, "clickstream")
        assert (paused.run_requests, "failed; tried again in " in paused.skip_message) == ([], True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sensors, "LONGEST_PAUSE_SECONDS", 0.0)
            [third] = _tick(flooded, "clickstream").run_requests
        assert third.run_key == second.run_key.removesuffix("/1") + "/2"


def test_a_run_takes_at_most_so_many_tables_and_those_furthest_behind_first(tmp_path: Path) -> None:
    with open_lakehouse(tmp_path) as stocked:
        for delivery in retail(4).deliveries:
            write_delivery(tmp_path / "files", delivery)
        for file in (tmp_path / "files" / "retail" / "products").glob("*.csv"):
            os.utime(file, (START.timestamp(), START.timestamp()))
        [all_four] = _tick(stocked, "retail").run_requests
        assert len(_tables(all_four)) == 4
        few = build(embedded.platform(Settings(home=tmp_path, tables_at_once=3)))
        with dg.build_sensor_context(instance=stocked.instance) as context:
            [request] = few.resolve_sensor_def("retail_has_news").evaluate_tick(context).run_requests or []
        assert len(_tables(request)) == 3
        assert _tables(request)[0] == "retail_products"


def test_a_log_that_cannot_be_read_is_a_reason_and_makes_its_table_stale(tmp_path: Path) -> None:
    with open_lakehouse(tmp_path) as broken:
        folder = tmp_path / "events" / "user-events"
        folder.mkdir(parents=True)
        (folder / "0.jsonl").write_bytes(b"{ this is no message\n")
        tick = _tick(broken, "clickstream")
        assert tick.run_requests == []
        assert "clickstream_user_events: " in tick.skip_message
        assert "0.jsonl, line 1" in tick.skip_message
        [told] = tick.asset_events
        assert (told.asset_key, told.check_name, told.passed) == (EVENTS, FRESH, False)


def test_what_waits_too_long_is_stale_until_it_is_landed_and_a_rebuild_of_a_day_does_not_help(
    lakehouse: Lakehouse,
) -> None:
    sent = datetime.now(UTC) - timedelta(hours=1)
    add_events(lakehouse, sent, 5, 86_400, seed=3)
    assert _verdict(lakehouse) == (False, 5)
    assert lakehouse.rebuild(START.date(), START.date(), "group:silver").success
    assert _verdict(lakehouse) == (False, 5)
    assert lakehouse.increment("key:bronze/clickstream_user_events").success
    assert _verdict(lakehouse) == (True, 0)
    before = json.dumps({"clickstream_user_events": False})
    [told] = _tick(lakehouse, "clickstream", before).asset_events
    assert told.passed
    assert _tick(lakehouse, "clickstream", _tick(lakehouse, "clickstream").cursor).asset_events == []


def test_no_data_is_not_stale_and_a_connector_that_fell_silent_is(first_run: Run) -> None:
    lakehouse = first_run.lakehouse
    tables = ("bank_users", "bank_accounts")
    alive = datetime.now(UTC)
    _heartbeat(lakehouse, alive - timedelta(hours=1))
    told = {e.asset_key.path[-1]: e for e in _tick(lakehouse, "bank").asset_events}
    assert {name: told[name].passed for name in tables} == dict.fromkeys(tables, False)
    assert told["bank_users"].metadata["lag_messages"].value == 0
    assert told["bank_users"].metadata["lag_seconds"].value >= 3600
    _heartbeat(lakehouse, alive)
    assert [e.passed for e in _tick(lakehouse, "bank").asset_events] == [True, True]


def _heartbeat(lakehouse: Lakehouse, at: datetime) -> None:
    stamp = int(at.timestamp() * 1000)
    append(lakehouse.home / "events", [Message(HEARTBEATS, 0, 0, stamp, b"{}", b"{}")])


def _verdict(lakehouse: Lakehouse) -> tuple[bool, object]:
    """What the check says when somebody asks for it in the UI."""
    key = dg.AssetCheckKey(EVENTS, FRESH)
    job = dg.define_asset_job("asked", dg.AssetSelection.checks(key))
    whole = dg.Definitions.merge(lakehouse.definitions, dg.Definitions(jobs=[job]))
    done = whole.resolve_job_def("asked").execute_in_process(instance=lakehouse.instance)
    [found] = done.get_asset_check_evaluations()
    return found.passed, found.metadata["lag_messages"].value
