"""What is too old goes by whole partitions, is accounted for, and changes nothing that was made of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lakehouse_assets.bronze.assets import accounted
from lakehouse_assets.bronze.land import land, state
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.iceberg.scan import sequence_of
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.expiry import expire
from lakehouse_assets.operations.retention import kept, plan, retain
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.bronze_slice import is_consumed, watermark
from lakehouse_assets.silver.fold_current import is_folded
from lakehouse_assets.silver.rebuild import CannotRebuild, rebuild_changes
from tests.scenario import calm
from tests.silver.lakes import changes, current, cut, fold, rows, take, unbalanced

USERS = contract("bank_users")
BRONZE, CHANGES, CURRENT = "bronze.bank_users", "silver.bank_users_changes", "silver.bank_users"
TODAY = datetime.now(UTC).date()


def _fill(platform: Platform) -> None:
    for chunk in cut(calm(USERS, 1).stream.messages, 2, 1):
        take(platform, USERS, chunk)
        fold(platform, USERS)


def _middle(platform: Platform) -> date:
    """A day with changes before and after it."""
    days = sorted({row["change_date"] for row in changes(platform, USERS)})
    assert len(days) > 2
    return days[len(days) // 2]


def test_only_append_only_tables_are_dropped_by_age() -> None:
    assert kept(BRONZE) == timedelta(days=90)
    assert kept(CHANGES) == kept("silver.clickstream_user_events") == timedelta(days=730)
    assert kept("marts.daily_active_users") == timedelta(days=2555)
    others = [schema.current_name(t) for t in tables() if t.source.kind != "events"]
    assert [kept(i) for i in (*others, "raw_vault.h_users", "raw_vault.s_users", "silver.rejects")] == [None] * (
        len(others) + 3
    )


def test_days_that_are_too_old_go_and_nothing_that_was_made_of_them(platform: Platform) -> None:
    _fill(platform)
    day = _middle(platform)
    held, before = changes(platform, USERS), sorted(map(repr, current(platform, USERS)))
    number = sequence_of(platform.open_catalog().load_table(CURRENT))
    planned = plan(platform, CHANGES, day + timedelta(days=730))
    assert changes(platform, USERS) == held
    done = retain(platform, CHANGES, day + timedelta(days=730))
    assert done == planned
    assert done is not None
    left = [row for row in held if row["change_date"] >= day]
    assert (done.through, done.rows) == (max(r["change_date"] for r in held if r not in left), len(held) - len(left))
    assert sorted(map(repr, changes(platform, USERS))) == sorted(map(repr, left))
    assert unbalanced(platform, USERS) == []
    assert is_folded(platform, USERS)
    expire(platform, CHANGES, datetime.now(UTC) + timedelta(days=6))
    fold(platform, USERS)
    assert sorted(map(repr, current(platform, USERS))) == before
    assert sequence_of(platform.open_catalog().load_table(CURRENT)) == number
    assert retain(platform, CHANGES, day + timedelta(days=730)) is None


def test_bronze_goes_and_a_day_that_needs_it_is_refused_with_the_oldest_that_does_not(platform: Platform) -> None:
    _fill(platform)
    assert retain(platform, BRONZE, TODAY + timedelta(days=90)) is None
    held = len(rows(platform, BRONZE))
    done = retain(platform, BRONZE, TODAY + timedelta(days=91))
    assert done is not None
    assert (done.rows, done.files_after, rows(platform, BRONZE)) == (held, 0, [])
    catalog = platform.open_catalog()
    assert is_consumed(catalog.load_table(BRONZE), watermark(catalog.load_table(CHANGES)))
    with pytest.raises(CannotRebuild, match=f"oldest day that can be rebuilt is {TODAY + timedelta(days=1)}"):
        rebuild_changes(platform, USERS, TODAY, TODAY)
    bronze = catalog.load_table(BRONZE)
    assert state(bronze).consumed == held
    assert accounted(bronze).passed
    assert land(platform, USERS).consumed == 0
    assert unbalanced(platform, USERS) == []


def test_what_silver_has_not_folded_stays(platform: Platform) -> None:
    take(platform, USERS, calm(USERS, 1).stream.messages)
    assert retain(platform, BRONZE, TODAY + timedelta(days=400)) is None
    fold(platform, USERS)
    assert retain(platform, BRONZE, TODAY + timedelta(days=400)) is not None
