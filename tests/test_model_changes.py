"""The model's bronze and CDC silver on small histories whose answer is known."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests import model
from tests.model import json_message

USER = "bank_users"


def change(
    offset: int,
    key: str | None,
    op: str,
    lsn: int,
    *,
    commit: int = 0,
    partition: int = 0,
    snapshot: str = "",
    **row: Any,
) -> model.Message:
    """A message of bank.public.users; `row` overrides columns of a complete one."""
    complete: dict[str, Any] = {
        "id": key,
        "email": "a@example.com",
        "name": "A",
        "notes": None,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **row,
    }
    envelope = {
        "op": op,
        "before": {"id": key, "email": ""} if op == "d" else None,
        "after": complete if op in "cur" else None,
        "source": {
            "ts_ms": 1_767_225_600_000 + lsn,
            "lsn": lsn,
            "sequence": json.dumps([str(commit) if commit else None, str(lsn)]),
            "snapshot": snapshot or ("true" if op == "r" else "false"),
        },
    }
    return json_message("bank.public.users", offset, envelope, {"id": key} if key else None, partition)


def names(messages: Iterable[model.Message]) -> dict[str, str]:
    return {row["id"]: row["name"] for row in model.current(model.inputs_of(messages), USER)}


def test_a_late_change_takes_its_place_in_commit_order() -> None:
    messages = [
        change(0, "a", "c", 10),
        change(1, "a", "u", 40, commit=35, name="newest"),
        change(2, "a", "u", 60, commit=20, name="late, of an earlier commit"),
    ]
    assert names(messages) == {"a": "newest"}
    rows = model.changes(model.inputs_of(messages), USER)
    assert [row["name"] for row in rows] == ["A", "late, of an earlier commit", "newest"]
    assert [row["change_number"] for row in rows] == [1, 2, 3]


def test_a_redelivered_change_counts_once_with_its_first_offset() -> None:
    messages = [change(0, "a", "c", 10), change(1, "a", "u", 20, name="B"), change(2, "a", "u", 20, name="B")]
    assert [row["offset"] for row in model.changes(model.inputs_of(messages), USER)] == [0, 1]


def test_a_snapshot_read_loses_to_a_change_of_the_same_position() -> None:
    assert names([change(0, "a", "u", 10, name="changed"), change(1, "a", "r", 10, name="read")]) == {"a": "changed"}


def test_an_incremental_read_is_as_new_as_the_change_before_it() -> None:
    messages = [
        change(0, "b", "c", 50),
        change(1, "a", "r", 90, snapshot="incremental", name="read"),
        change(2, "a", "u", 40, name="late"),
    ]
    assert names(messages) == {"a": "read", "b": "A"}
    assert names([*messages, change(3, "a", "u", 60, name="changed")]) == {"a": "changed", "b": "A"}


def test_a_delete_keeps_only_its_key() -> None:
    inputs = model.inputs_of([change(0, "a", "c", 10), change(1, "a", "d", 20)])
    assert model.current(inputs, USER) == []
    assert [(row["is_deleted"], row["email"]) for row in model.changes(inputs, USER)] == [
        (False, "a@example.com"),
        (True, None),
    ]


def test_a_truncate_deletes_lower_positions_that_arrive_after_it() -> None:
    messages = [
        change(0, "early", "c", 10),
        change(1, None, "t", 50),
        change(2, "late", "c", 40),
        change(3, "after", "c", 60, name="stays"),
    ]
    assert names(messages) == {"after": "stays"}
    assert len(model.truncates(model.inputs_of(messages), USER)) == 1


def test_an_unavailable_value_is_the_last_known_one_at_its_position() -> None:
    toasted = "__debezium_unavailable_value"
    messages = [
        change(0, "a", "c", 10, notes="first"),
        change(1, "a", "u", 30, notes=toasted),
        change(2, "a", "u", 20, notes="late"),
        change(3, "b", "u", 40, notes=toasted),
    ]
    rows = model.changes(model.inputs_of(messages), USER)
    assert [row["notes"] for row in rows] == ["first", "late", "late", None]
    assert [row["unavailable"] for row in rows] == [[], [], ["notes"], ["notes"]]


def test_an_invalid_message_is_a_dead_letter_and_a_tombstone_is_none() -> None:
    valid = change(0, "a", "c", 10)
    logical = {"op": "m", "source": {"ts_ms": 1, "lsn": 11}, "message": {}}
    messages = [
        valid,
        json_message("bank.public.users", 1, None, {"id": "a"}),
        json_message("bank.public.users", 2, b"{", {"id": "a"}),
        json_message("bank.public.users", 3, b"\xff", {"id": "a"}),
        json_message("bank.public.users", 4, [1], {"id": "a"}),
        json_message("bank.public.users", 5, {"op": "u"}, {"id": "a"}),
        change(6, "a", "x", 12),
        change(7, None, "u", 13),
        json_message("bank.public.users", 8, logical, {"prefix": "p"}),
    ]
    accounting = model.accounting(model.inputs_of(messages), USER)
    assert (accounting.consumed, accounting.tombstones) == (9, 1)
    assert {each.offset: each.reason for each in accounting.dead} == {
        2: "not JSON",
        3: "not JSON",
        4: "not an object",
        5: "missing op or source",
        6: "unknown op 'x'",
        7: "missing key",
    }
    assert [row["offset"] for row in model.changes(model.inputs_of(messages), USER)] == [0]


def test_a_change_that_cannot_be_cast_is_rejected_and_a_broken_rule_is_applied() -> None:
    inputs = model.inputs_of(
        [change(0, "a", "c", 10), change(1, "a", "u", 20, created_at="soon"), change(2, "a", "u", 30, name=None)]
    )
    assert [row["offset"] for row in model.rejects(inputs, USER)] == [1]
    assert [row["name"] for row in model.current_rows(inputs, USER)] == [None]


def test_binlog_files_are_ordered_by_number_and_rows_within_an_event() -> None:
    def stock(offset: int, file: str, pos: int, row: int, stock: int) -> model.Message:
        source = {"ts_ms": offset, "file": file, "pos": pos, "row": row, "snapshot": "false"}
        return json_message(
            "shop.shop.products", offset, {"op": "u", "source": source, "after": {"stock": stock}}, {"id": 1}
        )

    inputs = model.inputs_of(
        [
            stock(0, "mysql-bin.1000000", 4, 0, 4),
            stock(1, "mysql-bin.999999", 900, 10, 3),
            stock(2, "mysql-bin.999999", 900, 9, 2),
            stock(3, "mysql-bin.999999", 1000, 0, 0),
        ]
    )
    assert [row["offset"] for row in model.changes(inputs, "shop_products")] == [2, 1, 3, 0]
    assert [row["stock"] for row in model.current(inputs, "shop_products")] == [4]


def test_equal_balances_make_one_interval_and_a_deletion_its_own() -> None:
    def account(offset: int, op: str, lsn: int, balance: str, status: str = "active") -> model.Message:
        row = {
            **{"id": "x", "user_id": "u", "account_type": "savings", "currency": "EUR", "balance": balance},
            **{"status": status, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"},
        }
        source = {"ts_ms": lsn * 1000, "lsn": lsn, "sequence": None}
        envelope = {"op": op, "source": source, "after": None if op == "d" else row}
        return json_message("bank.public.accounts", offset, envelope, {"id": "x"})

    inputs = model.inputs_of(
        [
            account(0, "c", 1, "5.00"),
            account(1, "u", 2, "5.00", "frozen"),
            account(2, "u", 3, "6"),
            account(3, "d", 4, ""),
        ]
    )
    at = [datetime(1970, 1, 1, second=second, tzinfo=UTC) for second in (1, 3, 4)]
    assert [tuple(row.values()) for row in model.mart(inputs, "account_balance_history")] == [
        ("x", Decimal("5.00"), False, at[0], at[1]),
        ("x", Decimal("6.00"), False, at[1], at[2]),
        ("x", None, True, at[2], None),
    ]
    assert len(model.history(inputs, "s_accounts")) == 4


def test_a_log_ends_before_its_unterminated_line(tmp_path: Path) -> None:
    line = json.dumps({"topic": "user-events", "partition": 0, "offset": 0, "key": None, "payload_base64": "/w=="})
    log = tmp_path / "events" / "user-events" / "0.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text(line + "\n" + line[:20])
    accounting = model.accounting(model.read_home(tmp_path), "clickstream_user_events")
    assert (accounting.consumed, [each.reason for each in accounting.dead]) == (1, ["not JSON"])
