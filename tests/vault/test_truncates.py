"""Truncates in the vault: rows of the satellites, from which the histories follow."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

USERS = ("h_users", "s_users", "s_users_history")
STATED = ("change_position", "email", "is_deleted")
HISTORY = ("email", "is_deleted", "valid_from", "valid_to")


def user(position: int | str, day: int, op: str = "c", id: str | None = "u1", **columns: Any) -> dict[str, Any]:
    stated = {"email": f"{id}@x", "name": "A"} if op in "cur" else {}
    return {"position": position, "day": day, "op": op, "id": id, **stated, **columns}


def truncate(position: int, day: int) -> dict[str, Any]:
    return user(position, day, "t", None)


def told(lake: Any) -> list[tuple[int, str | None, bool]]:
    """The rows of s_users by business key and position."""
    names = dict(lake.rows("raw_vault.h_users", "h_user_hk", "user_id"))
    rows = lake.rows("raw_vault.s_users", "h_user_hk", *STATED)
    assert all((email is None) == is_deleted for _, _, email, is_deleted in rows)
    return sorted((names[key], int(position), is_deleted) for key, position, _, is_deleted in rows)


def test_a_truncate_is_a_row_of_each_key_that_changed_since_the_one_before(lake, at):
    for batch in (
        [user(1, 1), user(2, 1, id="u2")],
        [truncate(5, 2)],
        [user(6, 3, id="u2")],
        [user(7, 3, id="u3"), truncate(9, 4)],
    ):
        lake.change("bank_users", *batch)
        lake.build(*USERS)
    assert told(lake) == [
        ("u1", 1, False), ("u1", 5, True),
        ("u2", 2, False), ("u2", 5, True), ("u2", 6, False), ("u2", 9, True),
        ("u3", 7, False), ("u3", 9, True),
    ]  # fmt: skip
    emptied = [r for r in lake.rows("raw_vault.s_users", "is_deleted", "effective_from", "load_datetime") if r[0]]
    assert emptied == [(True, at(2), at(2, 60))] * 2 + [(True, at(4), at(4, 60))] * 2


BATCHES = [user(1, 1)], [truncate(3, 2)], [user(4, 2, "d"), user(5, 3, id="u2")], [truncate(7, 4)], [user(8, 5)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (3, 0, 4, 1, 2), (2, 0, 3, 1, 4)])
def test_any_order_of_arrival_gives_the_same_rows(lake, order):
    for number in order:
        lake.change("bank_users", *BATCHES[number])
        lake.build(*USERS)
    assert told(lake) == [
        ("u1", 1, False), ("u1", 3, True), ("u1", 4, True), ("u1", 7, True), ("u1", 8, False),
        ("u2", 5, False), ("u2", 7, True),
    ]  # fmt: skip


def test_a_truncate_ends_earlier_keys_also_those_that_arrive_late(lake, at):
    lake.change("bank_users", user(1, 1, email="a@x"))
    lake.build(*USERS)
    lake.change("bank_users", truncate(5, 3))
    lake.change("bank_users", user(6, 4, id="u2", email="a@x"))
    lake.build(*USERS)
    lake.change("bank_users", user(2, 2, id="u3", email="late@x"))
    lake.build(*USERS)
    assert lake.rows("business_vault.s_users_history", *HISTORY) == [
        ("a@x", False, at(1), at(3)),
        ("a@x", False, at(4), None),
        ("late@x", False, at(2), at(3)),
        (None, True, at(3), None),
        (None, True, at(3), None),
    ]


def test_a_truncate_closes_every_link(lake):
    account = {"op": "c", "user_id": "u1", "account_type": "checking", "currency": "EUR", "status": "active"}
    lake.change("bank_accounts", {"position": 1, "day": 1, "id": "a1", **account})
    lake.build("l_users_accounts", "e_l_users_accounts")
    lake.change("bank_accounts", truncate(5, 2))
    lake.build("l_users_accounts", "e_l_users_accounts")
    lake.change("bank_accounts", {"position": 2, "day": 1, "id": "a2", **account})
    lake.build("l_users_accounts", "e_l_users_accounts")
    rows = lake.rows("raw_vault.e_l_users_accounts", "change_position", "is_active", "l_user_account_hk")
    assert [(int(position), is_active, link is not None) for position, is_active, link in rows] == [
        (1, True, True), (2, True, True), (5, False, False), (5, False, False),
    ]  # fmt: skip


def test_a_key_that_a_rebuild_lost_loses_its_truncate_too(lake):
    lake.change("bank_users", user(1, 1), user(2, 2, id="u2"), truncate(5, 3), user(6, 4))
    lake.build(*USERS)
    lake.change("bank_users", rebuilt=[date(2026, 3, 2)])
    lake.build(*USERS)
    assert told(lake) == [("u1", 1, False), ("u1", 5, True), ("u1", 6, False)]
    assert len(lake.rows("business_vault.s_users_history")) == 3


def test_the_day_of_a_truncate_can_be_built_anew(lake):
    lake.change("bank_users", user(1, 1), truncate(5, 3), user(6, 4))
    lake.build(*USERS)
    expected = told(lake)
    lake.change("bank_users", truncate(5, 3), rebuilt=[date(2026, 3, 3)])
    lake.build(*USERS)
    assert told(lake) == expected == [("u1", 1, False), ("u1", 5, True), ("u1", 6, False)]


def place(lsn: int, rank: int) -> str:
    return f"{lsn:038d}.{rank}"


SNAPSHOT = [
    [user(place(1, 2), 1), user(place(2, 2), 1, id="u2")],
    [user(place(5, 1), 3, "r", id="u1"), user(place(5, 0), 3, "t", None)],
    [user(place(5, 1), 3, "r", id="u3"), user(place(3, 2), 2, id="u3")],
    [user(place(4, 2), 2, "u", id="u2"), user(place(7, 2), 4, id="u2")],
]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (1, 2, 0, 3)])
def test_the_end_of_a_complete_snapshot_is_a_row_of_the_keys_that_it_does_not_show(lake, order):
    for number in order:
        lake.change("bank_users", *SNAPSHOT[number])
        lake.build(*USERS)
    names = dict(lake.rows("raw_vault.h_users", "h_user_hk", "user_id"))
    rows = lake.rows("raw_vault.s_users", "h_user_hk", "change_position", "is_deleted")
    assert sorted((names[key], int(at[:-2]), int(at[-1]), gone) for key, at, gone in rows) == [
        ("u1", 1, 2, False), ("u1", 5, 1, False),
        ("u2", 2, 2, False), ("u2", 4, 2, False), ("u2", 5, 0, True), ("u2", 7, 2, False),
        ("u3", 3, 2, False), ("u3", 5, 1, False),
    ]  # fmt: skip
    history = lake.rows("business_vault.s_users_history", "email", "is_deleted")
    assert sorted(history, key=repr) == [
        ("u1@x", False),
        ("u2@x", False),
        ("u2@x", False),
        ("u3@x", False),
        (None, True),
    ]
