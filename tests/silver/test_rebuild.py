"""Days that are built anew from bronze."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.rules import starts_with
from lakehouse_assets.engines.iceberg.commit import DAYS, DROPPED_THROUGH, REBUILT_DAYS, commit, own_marks
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.retention import retain
from lakehouse_assets.silver import bronze_slice, schema
from lakehouse_assets.silver.rebuild import CannotRebuild, rebuild_changes, rebuild_events
from tests.scenario import scenario
from tests.silver.contradictions import contradicted_events
from tests.silver.lakes import (
    Rows,
    changes,
    current,
    differences,
    fold,
    refused,
    state,
    take,
    unbalanced,
    with_source,
)
from tests.silver.test_events import NOON_MS, event

DAY_1, DAY_2, DAY_3 = (date(2026, 1, day) for day in (5, 6, 7))
EVENTS = contract("clickstream_user_events")


@pytest.mark.parametrize("table_id", ["bank_users", "shop_orders"])
def test_rebuilt_changes_are_the_same_and_so_are_the_current_rows(platform: Platform, table_id: str) -> None:
    table = contract(table_id)
    take(platform, table, scenario(table, 1, strayed=0.1).stream.messages)
    fold(platform, table)
    before = state(platform, table)
    for first, last in ((DAY_2, DAY_2), (DAY_1, DAY_3), (DAY_3, DAY_3)):
        rebuild_changes(platform, table, first, last)
    fold(platform, table)

    assert state(platform, table) == before
    assert differences(platform, table) == []


def test_rebuilt_events_are_the_same(platform: Platform) -> None:
    take(platform, EVENTS, contradicted_events(1))
    fold(platform, EVENTS)
    before = state(platform, EVENTS)
    rebuild_events(platform, EVENTS, DAY_2, DAY_2)
    rebuild_events(platform, EVENTS, DAY_1, date(2026, 1, 12))

    assert state(platform, EVENTS) == before


def test_a_rebuild_is_one_commit_that_says_its_days_and_leaves_the_watermark(platform: Platform) -> None:
    table = contract("bank_users")
    take(platform, table, scenario(table, 1).stream.messages)
    fold(platform, table)
    before = platform.open_catalog().load_table(schema.changes_name(table))
    folded = rebuild_changes(platform, table, DAY_1, DAY_2)
    after = platform.open_catalog().load_table(schema.changes_name(table))
    snapshot = after.current_snapshot()

    assert snapshot is not None
    assert len(after.snapshots()) == len(before.snapshots()) + 1
    said = own_marks(snapshot)
    assert json.loads(said[DAYS]) == json.loads(said[REBUILT_DAYS]) == [str(DAY_1), str(DAY_2)] == sorted(folded.days)
    assert bronze_slice.watermark(after) == bronze_slice.watermark(before)
    assert {row["load_sequence"] > before.metadata.last_sequence_number for row in changes(platform, table)} == {
        True,
        False,
    }


def test_a_rebuild_takes_nothing_that_is_yet_to_fold(platform: Platform) -> None:
    table = contract("bank_users")
    messages = scenario(table, 2).stream.messages
    take(platform, table, messages[:60])
    fold(platform, table)
    before = state(platform, table)
    take(platform, table, messages[60:])
    rebuild_changes(platform, table, DAY_1, DAY_3)

    assert state(platform, table).changes == before.changes
    fold(platform, table)
    assert differences(platform, table) == []


def test_what_a_contract_no_longer_reads_is_refused_and_a_mended_one_brings_it_back(platform: Platform) -> None:
    table = contract("shop_products")
    misread = with_source(table, decimal="precise")
    take(platform, table, scenario(table, 1, truncates=0).stream.messages)
    fold(platform, table)
    right = state(platform, table)
    assert right.refused == []

    rebuild_changes(platform, misread, DAY_2, DAY_2)
    fold(platform, misread)
    assert {row["rule"] for row in refused(platform, table)} == {"not_representable"}
    assert {row["op"] for row in changes(platform, table) if row["change_date"] == DAY_2} == {"d"}
    assert {row["id"]: row["price"] for row in current(platform, table)} == latest_prices(changes(platform, table))
    assert unbalanced(platform, table) == []

    rebuild_changes(platform, table, DAY_1, DAY_3)
    fold(platform, table)
    assert state(platform, table) == right


def latest_prices(rows: Rows) -> dict[int, Decimal]:
    last = {row["id"]: row for row in sorted(rows, key=lambda each: each["change_position"])}
    return {key: row["price"] for key, row in last.items() if not row["is_deleted"]}


def test_a_refused_event_that_a_mended_contract_takes_wins_over_a_later_one(platform: Platform) -> None:
    strict = replace(
        EVENTS, columns=tuple(replace(c, rules=(starts_with("/b"),)) if c.name == "page" else c for c in EVENTS.columns)
    )
    day = 86_400_000
    take(platform, EVENTS, [event(0, 0, "/a"), event(1, 0, "/b", at_ms=NOON_MS + day), event(1, 1, "/b")])
    fold(platform, strict)
    assert [row["page"] for row in current(platform, EVENTS)] == ["/b"]
    folded = rebuild_events(platform, EVENTS, date(2026, 1, 9), date(2026, 1, 9))

    assert [row["page"] for row in current(platform, EVENTS)] == ["/a"]
    assert folded.days == {"2026-01-09", "2026-01-10"}
    assert differences(platform, EVENTS) == []


def test_a_day_that_needs_a_dropped_bronze_day_is_refused_with_the_oldest_that_does_not(platform: Platform) -> None:
    table = contract("bank_users")
    take(platform, table, scenario(table, 1).stream.messages)
    take(platform, EVENTS, contradicted_events(1))
    fold(platform, table)
    for each in (table, EVENTS):
        bronze = platform.open_catalog().load_table(f"bronze.{each.id}")
        commit(bronze, summary={DROPPED_THROUGH: "2026-01-06"})

    with pytest.raises(CannotRebuild, match="oldest day that can be rebuilt is 2026-01-07"):
        rebuild_changes(platform, table, DAY_2, DAY_3)
    rebuild_changes(platform, table, DAY_3, DAY_3)
    with pytest.raises(CannotRebuild, match="oldest day that can be rebuilt is 2026-01-08"):
        rebuild_events(platform, EVENTS, DAY_3, DAY_3)


def test_a_day_that_retention_dropped_is_not_rebuilt_though_bronze_holds_it(platform: Platform) -> None:
    table = contract("bank_users")
    take(platform, table, scenario(table, 1).stream.messages)
    fold(platform, table)
    changed = schema.changes_name(table)
    rows = len(changes(platform, table))
    left = retain(platform, changed, DAY_2 + table.silver_retention)
    assert left is not None

    with pytest.raises(CannotRebuild, match=f"{changed}: day 2026-01-05 .*that can be rebuilt is 2026-01-06"):
        rebuild_changes(platform, table, DAY_1, DAY_3)
    rebuild_changes(platform, table, DAY_2, DAY_3)
    assert len(changes(platform, table)) == rows - left.rows
    assert unbalanced(platform, table) == []
