"""Assets as people expect to find them: described, owned, traced, masked, checked.

The lakehouse of these tests is small, has every source, and was materialized once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.iceberg.commit import commit
from lakehouse_assets.operations import asset_graph
from lakehouse_assets.operations.automation import INCREMENT
from lakehouse_assets.sources.change_stream import change_stream
from lakehouse_assets.sources.changes import Knobs
from lakehouse_assets.sources.events import EventStream, Traffic
from lakehouse_assets.sources.files import retail_history, write_delivery
from lakehouse_assets.sources.writer import append
from tests.end_to_end.lakehouse import Lakehouse, open_lakehouse

LAYERS = {"sources", "bronze", "silver", "raw_vault", "business_vault", "marts", "gold"}
SNAPSHOT = Path(__file__).resolve().parent / "asset_graph.txt"
START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    with open_lakehouse(tmp_path_factory.mktemp("home")) as opened:
        _fill(opened.home)
        outcome = opened.increment()
        assert outcome.success, opened.errors
        yield opened


def _fill(home: Path) -> None:
    for each in (t for t in tables() if t.source.kind == "cdc"):
        append(
            home / "events", change_stream(each, 2, Knobs(rows=15, transactions=20, start=START, awkward=0.0)).messages
        )
    append(home / "events", EventStream(Traffic(seed=1, start=START, rate=300 / 86_400)).take(600).messages)
    for delivery in retail_history(3, date(2026, 1, 31), customers=20, products=8, orders=60).deliveries:
        write_delivery(home / "files", delivery)


def _keys(lakehouse: Lakehouse, *layers: str) -> list[dg.AssetKey]:
    graph = lakehouse.definitions.resolve_asset_graph()
    return sorted(k for k in graph.materializable_asset_keys if not layers or k.path[0] in layers)


def _shown(lakehouse: Lakehouse, key: dg.AssetKey) -> dict[str, Any]:
    """What the asset shows: its definition's metadata and the last materialization's."""
    event = lakehouse.instance.get_latest_materialization_event(key)
    assert event is not None, key
    assert event.asset_materialization is not None, key
    declared = lakehouse.definitions.resolve_asset_graph().get(key).metadata
    return {**declared, **{n: v.value for n, v in event.asset_materialization.metadata.items()}}


def _checks(lakehouse: Lakehouse) -> dict[dg.AssetCheckKey, tuple[bool, dict[str, Any]]]:
    """The last result of every check."""
    keys = list(lakehouse.definitions.resolve_asset_graph().asset_check_keys)
    found = lakehouse.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    results = {}
    for key, record in found.items():
        if record.event is not None and record.event.dagster_event is not None:
            told = record.event.dagster_event.asset_check_evaluation_data
            results[key] = (told.passed, {n: v.value for n, v in told.metadata.items()})
    return results


def test_every_asset_says_what_it_is_and_whose(lakehouse: Lakehouse) -> None:
    graph = lakehouse.definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name == node.tags["layer"] == key.path[0], key
    assert {key.path[0] for key in graph.get_all_asset_keys()} == LAYERS


def test_every_table_shows_its_columns_size_and_snapshot(lakehouse: Lakehouse) -> None:
    for key in _keys(lakehouse):
        shown = _shown(lakehouse, key)
        assert shown["dagster/row_count"] >= 0, key
        assert shown["snapshot_id"], key
        if key.path[0] != "gold":
            assert shown["files"] >= 0, key
            assert shown["bytes"] >= 0, key
            columns = shown["dagster/column_schema"].columns
            held = [field.name for field in lakehouse.table(".".join(key.path)).schema().fields]
            assert [column.name for column in columns] == held, key


def test_every_column_of_every_mart_comes_from_a_column_or_is_listed_as_computed(lakehouse: Lakehouse) -> None:
    for key in _keys(lakehouse, "marts"):
        shown = _shown(lakehouse, key)
        traced = {name for name, upstream in shown["dagster/column_lineage"].deps_by_column.items() if upstream}
        computed = set(shown["computed_columns"])
        assert traced | computed == set(lakehouse.table(".".join(key.path)).schema().column_names), key
        assert not traced & computed, key


def test_no_address_of_the_data_is_shown_anywhere(lakehouse: Lakehouse) -> None:
    holders = ("bank_users", "shop_users", "retail_customers")
    addresses = {str(row["email"]) for name in holders for row in lakehouse.rows(f"silver.{name}")} - {"", "None"}
    assert len(addresses) > 30
    materializations = dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION)
    records = lakehouse.instance.get_event_records(materializations)
    told = [str(r.asset_materialization.metadata) for r in records if r.asset_materialization is not None]
    told += [str(metadata) for _, metadata in _checks(lakehouse).values()]
    assert any("preview" in text for text in told)
    assert [address for address in addresses if any(re.search(rf"{re.escape(address)}\b", t) for t in told)] == []


def test_a_preview_masks_every_personal_column(lakehouse: Lakehouse) -> None:
    for declared in tables():
        personal = {c.name for c in declared.columns if c.pii}
        preview = str(_shown(lakehouse, dg.AssetKey(["silver", declared.id]))["preview"])
        names, _, *rows = [line.strip("| ").split(" | ") for line in preview.splitlines()]
        for row in rows:
            shown = {n: value.strip() for n, value in zip(names, row, strict=False) if n in personal}
            assert set(shown.values()) <= {"•••", ""}, declared.id


def test_every_rule_of_every_contract_is_a_check_that_was_evaluated(lakehouse: Lakehouse) -> None:
    evaluated = {(key.asset_key.to_user_string(), key.name) for key in _checks(lakehouse)}
    for declared in tables():
        for column in declared.live_columns:
            for rule in (*column.row_rules, *column.table_rules):
                assert (f"silver/{declared.id}", rule.claim(column.name)) in evaluated


def test_the_checks_of_every_layer_pass_on_sound_data(lakehouse: Lakehouse) -> None:
    layers = {"bronze", "silver", "raw_vault", "business_vault", "marts", "gold"}
    ours = {key: passed for key, (passed, _) in _checks(lakehouse).items()}
    blocking = {k for k in ours if lakehouse.definitions.resolve_asset_graph().get(k).blocking}
    assert {k.asset_key.path[0] for k in ours} >= layers
    assert [k for k in blocking if not ours[k]] == []


def test_checks_of_unchanged_assets_keep_their_last_result(lakehouse: Lakehouse) -> None:
    before = _checks(lakehouse)
    again = lakehouse.increment()
    assert again.success, lakehouse.errors
    assert {key: passed for key, (passed, _) in _checks(lakehouse).items()} == {k: p for k, (p, _) in before.items()}


def test_a_blocking_check_that_fails_stops_what_is_downstream(lakehouse: Lakehouse) -> None:
    """Bronze says that it consumed one message more than it holds, and new messages arrive."""
    with lakehouse.undone():
        handle = lakehouse.table("bronze.clickstream_user_events")
        commit(handle, summary={"lakehouse.consumed": "1"})
        later = Traffic(seed=6, start=START + timedelta(days=9), rate=1.0)
        append(lakehouse.home / "events", EventStream(later).take(10).messages)
        before = lakehouse.snapshots()
        outcome = lakehouse.increment("key:bronze/clickstream_user_events+")
        after = lakehouse.snapshots()
    assert not outcome.success
    assert outcome.failed_checks == ("bronze/clickstream_user_events: every_message_is_accounted",)
    assert {name for name in after if after[name] != before[name]} == {"bronze.clickstream_user_events"}


def test_the_increment_job_runs_without_a_partition_and_builds_the_touched_days(lakehouse: Lakehouse) -> None:
    moment = datetime(2026, 2, 3, 12, tzinfo=UTC)
    append(lakehouse.home / "events", EventStream(Traffic(seed=8, start=moment, rate=1.0)).take(20).messages)
    result = lakehouse.definitions.resolve_job_def(INCREMENT).execute_in_process(instance=lakehouse.instance)
    assert result.success
    mart = {row["event_date"]: row["dau_count"] for row in lakehouse.rows("marts.daily_active_users")}
    assert mart[moment.date()] > 0
    assert {row["event_date"]: row["dau_count"] for row in lakehouse.gold("daily_active_users")} == mart


def test_the_snapshot_of_the_asset_graph_is_up_to_date(lakehouse: Lakehouse) -> None:
    assert SNAPSHOT.read_text("utf-8") == asset_graph.render(lakehouse.definitions), "run `lakehouse sync`"


def test_the_snapshot_of_the_asset_graph_is_readable() -> None:
    header, *lines = SNAPSHOT.read_text("utf-8").splitlines()
    names = [name.strip() for name in header.partition(": ")[2].split("|")]
    assert names == ["asset", "group", "kinds", "partitions", "upstream"]
    assert lines == sorted(lines)
    assert max(map(len, lines)) < 300
