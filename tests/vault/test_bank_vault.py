"""The bank's vault over hand-written changes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from lakehouse_assets.engines.dbt.runner import DbtFailed

USERS = ("h_users", "s_users", "s_users_history")
BANK = (*USERS, "h_accounts", "l_users_accounts", "e_l_users_accounts", "s_accounts", "s_accounts_history",
        "account_balance_latest", "account_balance_history")  # fmt: skip
HISTORY = ("email", "is_deleted", "valid_from", "valid_to")


def user(position: int, day: int, op: str = "c", id: str | None = "u1", **columns: Any) -> dict[str, Any]:
    stated = {"email": "a@x", "name": "A"} if op in "cur" else {}
    return {"position": position, "day": day, "op": op, "id": id, **stated, **columns}


def account(position: int, day: int, balance: str | None, op: str = "c", id: str = "a1", user_id: str = "u1") -> Any:
    row = {"position": position, "day": day, "op": op, "id": id}
    if op == "d":
        return row
    return row | {"user_id": user_id, "account_type": "checking", "currency": "EUR", "balance": Decimal(balance or 0),
                  "status": "active"}  # fmt: skip


def test_a_hub_holds_each_key_once_with_its_first_load(lake, at):
    lake.change("bank_users", user(1, 1), user(2, 2, "u"))
    assert lake.build("h_users") == {"h_users": "built"}
    lake.change("bank_users", user(3, 3, "u"), user(4, 3, id="u2"))
    lake.build("h_users")
    assert lake.rows("raw_vault.h_users", "user_id", "load_datetime", "record_source") == [
        ("u1", at(1, 60), "bank.public.users"),
        ("u2", at(3, 60), "bank.public.users"),
    ]
    assert all(len(row[0]) == 32 for row in lake.rows("raw_vault.h_users", "h_user_hk"))


def test_a_hub_has_the_keys_that_other_tables_refer_to(lake, at):
    lake.change("bank_accounts", account(5, 1, "10.00", user_id="u7"), account(6, 2, None, "d"))
    lake.build("h_users")
    lake.change("bank_users", user(1, 3, id="u7"), user(2, 3, id="u1"))
    lake.build("h_users")
    assert lake.rows("raw_vault.h_users", "user_id", "load_datetime", "record_source") == [
        ("u1", at(3, 60), "bank.public.users"),
        ("u7", at(1, 60), "bank.public.accounts"),
    ]


def test_an_unchanged_model_is_not_run(lake, monkeypatch):
    lake.change("bank_users", user(1, 1))
    lake.build(*USERS)
    before = [lake.snapshot(f"raw_vault.{n}") for n in ("h_users", "s_users")]
    monkeypatch.setattr("lakehouse_assets.engines.dbt.runner.run", None)
    assert lake.build(*USERS) == dict.fromkeys(USERS, "unchanged")
    assert [lake.snapshot(f"raw_vault.{n}") for n in ("h_users", "s_users")] == before


def test_a_model_waits_for_parents_that_do_not_exist(lake):
    assert lake.build(*USERS) == {"h_users": "waiting", "s_users": "waiting", "s_users_history": "waiting"}


def test_a_model_that_was_left_out_skips_nothing(lake):
    lake.change("bank_users", user(1, 1))
    lake.build(*USERS)
    lake.change("bank_users", user(2, 2, "u", email="b@x"))
    lake.build("h_users")
    lake.change("bank_users", user(3, 3, "u", email="c@x"))
    lake.build(*USERS)
    assert [r[0] for r in lake.rows("raw_vault.s_users", "email")] == ["a@x", "b@x", "c@x"]


def test_changes_that_come_again_change_nothing(lake):
    lake.change("bank_users", user(1, 1), user(2, 2, "u", email="b@x"), user(3, 2, "d"))
    lake.build(*USERS)
    held = [lake.rows(t) for t in ("raw_vault.h_users", "raw_vault.s_users", "business_vault.s_users_history")]
    lake.change("bank_users", user(1, 1), user(2, 2, "u", email="b@x"), user(3, 2, "d"))
    lake.build(*USERS)
    assert [lake.rows(t) for t in ("raw_vault.h_users", "raw_vault.s_users", "business_vault.s_users_history")] == held


def test_parents_that_tell_nothing_new_move_only_marks(lake):
    lake.change("bank_users", user(1, 1), user(2, 2, "u", email="b@x"))
    lake.build(*USERS)
    tables = ("raw_vault.h_users", "raw_vault.s_users", "business_vault.s_users_history")
    held = [(lake.files(t), lake.snapshot(t)) for t in tables]
    lake.change("bank_users", user(2, 2, "u", email="b@x"))
    lake.change("bank_accounts", account(6, 2, None, "d"))
    assert lake.build(*USERS) == dict.fromkeys(USERS, "built")
    assert [lake.files(t) for t in tables] == [files for files, _ in held]
    assert all(lake.snapshot(t) != snapshot for t, (_, snapshot) in zip(tables, held, strict=True))
    assert lake.build(*USERS) == dict.fromkeys(USERS, "unchanged")


def test_only_keys_whose_rows_differ_are_written_again(lake):
    lake.change("bank_users", user(1, 1), user(2, 1, id="u2"))
    lake.build(*USERS)
    lake.change("bank_users", user(3, 2, "u", email="b@x"), user(2, 1, id="u2"))
    lake.build(*USERS)
    before = lake.files("raw_vault.s_users")
    lake.change("bank_users", user(2, 1, id="u2"), user(4, 3, id="u3"))
    lake.build(*USERS)
    assert before < lake.files("raw_vault.s_users")


def test_a_delete_is_a_satellite_row_and_no_link(lake, at):
    lake.change("bank_users", user(1, 1))
    lake.change("bank_accounts", account(5, 1, "10.00"), account(6, 2, None, "d"), account(7, 3, None, "d", id="a2"))
    states = lake.build(*BANK)
    assert set(states.values()) == {"built"}
    columns = ("change_position", "is_deleted", "balance", "effective_from")
    rows = lake.rows("raw_vault.s_accounts", *columns)
    assert [(r[1], r[2], r[3]) for r in rows] == [(False, Decimal("10.00"), at(1)), (True, None, at(2)),
                                                  (True, None, at(3))]  # fmt: skip
    assert {r[0] for r in lake.rows("raw_vault.h_accounts", "account_id")} == {"a1", "a2"}
    assert len(lake.rows("raw_vault.l_users_accounts")) == 1
    assert [r[0] for r in lake.rows("raw_vault.e_l_users_accounts", "is_active", "change_position")].count(True) == 1
    assert lake.rows("marts.account_balance_latest") == []


def test_a_late_change_between_two_dates_the_history_anew(lake, at):
    lake.change("bank_users", user(10, 1), user(30, 5, "u", email="c@x"))
    lake.build(*USERS)
    lake.change("bank_users", user(20, 3, "u", email="b@x"))
    lake.build(*USERS)
    assert lake.rows("business_vault.s_users_history", *HISTORY) == [
        ("a@x", False, at(1), at(3)),
        ("b@x", False, at(3), at(5)),
        ("c@x", False, at(5), None),
    ]


def test_equal_neighbours_are_one_row_of_the_history(lake, at):
    lake.change("bank_users", user(1, 1), user(2, 2, "u"), user(3, 3, "d"), user(4, 4))
    lake.build(*USERS)
    assert lake.rows("business_vault.s_users_history", *HISTORY) == [
        ("a@x", False, at(1), at(3)),
        ("a@x", False, at(4), None),
        (None, True, at(3), at(4)),
    ]


def test_rebuilt_days_replace_the_satellite_rows_of_those_days(lake, at):
    lake.change("bank_users", user(1, 1), user(2, 2, "u", email="wrong@x"), user(3, 2, id="gone"), user(4, 3, "u"))
    lake.build(*USERS)
    lake.change("bank_users", user(2, 2, "u", email="right@x"), rebuilt=[date(2026, 3, 2)])
    lake.build(*USERS)
    assert [r[0] for r in lake.rows("raw_vault.s_users", "email")] == ["a@x", "a@x", "right@x"]
    assert lake.rows("business_vault.s_users_history", *HISTORY) == [
        ("a@x", False, at(1), at(2)),
        ("a@x", False, at(3), None),
        ("right@x", False, at(2), at(3)),
    ]


def test_the_first_day_built_anew_replaces_the_rows_of_all_days_before_it(lake):
    def days_before(day: date) -> int:
        return (day - date(2026, 2, 28)).days

    old, first = days_before(date(2015, 6, 1)), days_before(date(2020, 1, 1))
    lake.change("bank_users", user(1, old), user(2, old + 9, id="gone"), user(3, first, "u"), user(4, 1, "u"))
    lake.build(*USERS)
    lake.change("bank_users", user(1, old, email="right@x"), user(3, first, "u"), rebuilt=[date(2020, 1, 1)])
    lake.build(*USERS)
    assert [r[0] for r in lake.rows("raw_vault.s_users", "email")] == ["a@x", "a@x", "right@x"]
    assert [r[0] for r in lake.rows("business_vault.s_users_history", "email")] == ["a@x", "right@x"]


def test_balances_collapse_and_the_latest_is_as_of_the_last_change(lake, at):
    lake.change("bank_users", user(1, 1))
    lake.change("bank_accounts", account(1, 1, "10.00"), account(2, 2, "20.50", "u"), account(3, 3, "20.50", "u"))
    lake.build(*BANK)
    assert lake.rows("marts.account_balance_history") == [
        ("a1", Decimal("10.00"), at(1), at(2), False),
        ("a1", Decimal("20.50"), at(2), None, False),
    ]
    assert lake.rows("marts.account_balance_latest") == [("a1", "u1", "EUR", Decimal("20.50"), at(3))]


def test_an_account_that_moves_closes_its_link(lake):
    lake.change("bank_users", user(1, 1), user(2, 1, id="u2"))
    lake.change("bank_accounts", account(3, 1, "1"), account(4, 2, "1", "u", user_id="u2"), account(5, 3, None, "d"))
    lake.build(*BANK)
    assert len(lake.rows("raw_vault.l_users_accounts")) == 2
    stated = lake.rows("raw_vault.e_l_users_accounts", "change_position", "is_active", "l_user_account_hk")
    assert [r[1] for r in stated] == [True, True, False]
    assert stated[0][2] != stated[1][2]
    assert stated[2][2] is None


def test_growth_counts_changes_and_no_snapshot_reads(lake):
    lake.change("bank_users", user(1, 1, "r"), user(2, 1, id="u2"), user(3, 2, "u", id="u2"), user(4, 2, "d", id="u2"))
    lake.build("s_users")
    assert lake.stale("user_growth_daily") == [1, 2]
    lake.build("user_growth_daily", days=(1, 2))
    assert lake.rows("marts.user_growth_daily") == [(date(2026, 3, 1), 1, 0, 0), (date(2026, 3, 2), 0, 1, 1)]
    assert lake.stale("user_growth_daily") == []


def test_a_model_that_failed_skips_nothing_the_next_time(lake):
    lake.change("bank_users", user(1, 1))
    foreign = pa.schema([pa.field("h_user_hk", pa.int64())])
    lake.catalog.create_namespace("raw_vault")
    lake.catalog.create_table("raw_vault.s_users", foreign)
    with pytest.raises(DbtFailed, match="s_users"):
        lake.build(*USERS)
    lake.catalog.drop_table("raw_vault.s_users")
    lake.change("bank_users", user(2, 2, "u", email="b@x"))
    lake.build(*USERS)
    assert [r[0] for r in lake.rows("raw_vault.s_users", "email")] == ["a@x", "b@x"]
    assert len(lake.rows("business_vault.s_users_history")) == 2
