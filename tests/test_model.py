"""The model against the recordings: their changes lead to the databases' recorded end, column by column."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests import model
from tests.recordings import SAMPLES, recorded_end

RECORDED = [table.id for table in model.TABLES.values() if table.source in ("bank", "shop")]


@pytest.mark.parametrize("encoding", ["string", "default"])
@pytest.mark.parametrize("table_id", RECORDED)
def test_the_recorded_changes_lead_to_the_recorded_end(table_id: str, encoding: Any) -> None:
    described = model.table(table_id)
    inputs = model.read_capture(SAMPLES / f"{described.source}-{encoding}", encoding=encoding)

    assert model.compare(table_id, recorded_end(table_id), model.current_rows(inputs, table_id), "id") == []
    assert model.accounting(inputs, table_id).dead == ()
    assert model.rejects(inputs, table_id) == []


@pytest.mark.parametrize("encoding", ["string", "default"])
@pytest.mark.parametrize("table_id", RECORDED)
def test_every_executed_change_counts_once(table_id: str, encoding: Any) -> None:
    described = model.table(table_id)
    inputs = model.read_capture(SAMPLES / f"{described.source}-{encoding}", encoding=encoding)
    counts = json.loads((SAMPLES / f"{described.source}-truth" / f"{described.name}.counts.json").read_text())
    ops = [row["op"] for row in model.changes(inputs, table_id)]

    assert {op: ops.count(op) for op in "rcud"} == {
        "r": counts["snapshot_rows"],
        "c": counts["inserts"] + counts["key_updates"],
        "u": counts["updates"],
        "d": counts["deletes"] + counts["key_updates"],
    }


@pytest.mark.parametrize("source", ["bank", "shop"])
def test_both_encodings_give_the_same_history(source: str) -> None:
    recordings = [
        model.read_capture(SAMPLES / f"{source}-string", encoding="string"),
        model.read_capture(SAMPLES / f"{source}-default", encoding="default"),
    ]
    delivery = {"offset", "partition", "topic"}
    for table_id in (each for each in RECORDED if each.startswith(source)):
        one, other = (
            [
                {
                    column: value
                    for column, value in row.items()
                    if column not in delivery and not (row["op"] == "r" and column.startswith("change_"))
                }
                | {"change_number": row["change_number"]}
                for row in model.changes(inputs, table_id)
            ]
            for inputs in recordings
        )
        assert model.compare(table_id, one, other, ("id", "change_number")) == []


@pytest.mark.parametrize("encoding", ["string", "default"])
def test_links_join_known_hubs_and_histories_end_with_the_current_rows(encoding: Any) -> None:
    bank = model.read_capture(SAMPLES / f"bank-{encoding}", encoding=encoding)
    users, accounts = model.hub(bank, "h_users"), model.hub(bank, "h_accounts")
    assert all(user in users and account in accounts for user, account in model.link(bank, "l_users_accounts"))
    assert {row["id"] for row in model.changes(bank, "bank_users")} == users

    latest = model.mart(bank, "account_balance_latest")
    open_ended = [
        {"account_id": row["account_id"], "balance": row["balance"]}
        for row in model.mart(bank, "account_balance_history")
        if row["valid_to"] is None and not row["is_deleted"]
    ]
    assert model.compare("account_balance", open_ended, latest, "account_id") == []
    assert len(open_ended) == len(latest)


def test_differences_are_readable() -> None:
    expected: list[dict[str, Any]] = [
        {"id": 1, "amount": Decimal("1.0")},
        {"id": 2, "amount": None},
        {"id": 3, "amount": 0.1},
    ]
    assert model.compare("t", expected, [dict(row) for row in reversed(expected)], "id") == []
    actual: list[dict[str, Any]] = [
        {"id": 1, "amount": Decimal("1.1")},
        {"id": 3, "amount": 0.1},
        {"id": 3, "amount": 0.1},
        {"id": 4},
    ]
    assert model.compare("t", expected, actual, "id") == [
        "t id=1: amount is Decimal('1.1'), expected Decimal('1.0')",
        "t id=2: missing",
        "t id=3: not expected (2 rows instead of 1)",
        "t id=4: not expected",
    ]
