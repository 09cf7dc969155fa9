"""The date-grained marts over hand-written events."""

from __future__ import annotations

from datetime import date

DAILY = ("daily_active_users", "conversion_rate_daily", "events_per_source_daily", "purchases_per_page_daily")


def day(number: int) -> date:
    return date(2026, 3, number)


def test_each_mart_counts_by_day(lake):
    lake.events(
        ("e1", 1, "click", "/", "web", 1),
        ("e2", 1, "purchase", "/cart", "web", 1),
        ("e3", 2, "login", "/", "mobile", 1),
        ("e4", 3, "purchase", "/cart", "mobile", 1),
        ("e5", 2, "logout", "/", "mobile", 2),
    )
    lake.build(*DAILY, days=(1, 2))
    assert lake.rows("marts.daily_active_users") == [(day(1), 3), (day(2), 1)]
    assert lake.rows("marts.conversion_rate_daily") == [(day(1), 2 / 3, 2, 3), (day(2), 0.0, 0, 1)]
    assert lake.rows("marts.events_per_source_daily") == [
        (day(1), "mobile", 2),
        (day(1), "web", 2),
        (day(2), "mobile", 1),
    ]
    assert lake.rows("marts.purchases_per_page_daily") == [(day(1), "/cart", 2)]


def test_a_run_replaces_exactly_its_days_and_leaves_the_rest_for_later(lake):
    lake.events(("e1", 1, "click", "/", "web", 1), ("e2", 1, "click", "/", "web", 2), ("e3", 1, "click", "/", "web", 3))
    assert lake.stale("daily_active_users") == [1, 2, 3]
    lake.build("daily_active_users", days=(2, 2))
    assert lake.rows("marts.daily_active_users") == [(day(2), 1)]
    assert lake.stale("daily_active_users") == [1, 3]
    lake.events(("e4", 2, "click", "/", "web", 2))
    assert lake.stale("daily_active_users") == [1, 2, 3]
    lake.build("daily_active_users", days=(1, 2))
    assert lake.rows("marts.daily_active_users") == [(day(1), 1), (day(2), 2)]
    assert lake.stale("daily_active_users") == [3]
    assert lake.build("daily_active_users", days=(1, 2)) == {"daily_active_users": "unchanged"}


def test_a_group_that_vanished_from_a_day_goes(lake):
    lake.events(("e1", 1, "purchase", "/a", "web", 1), ("e2", 1, "purchase", "/a", "web", 2))
    lake.build("purchases_per_page_daily", days=(1, 2))
    lake.replace_events(("e1", 1, "click", "/a", "web", 1), ("e2", 1, "purchase", "/a", "web", 2), days=(1,))
    assert lake.stale("purchases_per_page_daily") == [1]
    lake.build("purchases_per_page_daily", days=(1, 1))
    assert lake.rows("marts.purchases_per_page_daily") == [(day(2), "/a", 1)]


def test_the_models_of_one_invocation_share_their_load_time(lake):
    lake.events(("e1", 1, "purchase", "/a", "web", 1))
    lake.build(*DAILY, days=(1, 1))
    moments = {row for name in DAILY for row in lake.rows(f"marts.{name}", "updated_at")}
    assert len(moments) == 1


def test_a_mart_is_stored_by_month(lake):
    lake.events(("e1", 1, "click", "/", "web", 1), ("e2", 1, "click", "/", "web", 40))
    lake.build("daily_active_users", days=(1, 40))
    table = lake.catalog.load_table("marts.daily_active_users")
    assert [str(f.transform) for f in table.spec().fields] == ["month"]
    assert len(list(table.scan().plan_files())) == 2
    assert table.schema().find_field("dau_count").doc == "Users with at least one event."
