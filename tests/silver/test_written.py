"""Schemas inside messages and flat rows, through bronze and the folds."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver.accounting import account
from lakehouse_assets.silver.schema import changes_name
from lakehouse_assets.silver.undeclared import undeclared
from lakehouse_assets.sources.messages import Message
from tests.scenario import scenario
from tests.silver.lakes import changes, current, fold, open_platform, take, with_source

ACCOUNTS = contract("bank_accounts")
SENT = [
    (
        {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}},
        "AeJA",
        "1234.56",
    ),
    (
        {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "4"}},
        "AeJA",
        "12.3456",
    ),
    ({"type": "struct", "name": "io.debezium.data.VariableScaleDecimal"}, {"scale": 1, "value": "ew=="}, "12.3"),
    ({"type": "double"}, 0.5, "0.5"),
    ({"type": "string"}, "7.25", "7.25"),
    (None, "8.75", "8.75"),
]


def _account(offset: int, schema: dict[str, Any] | None, balance: Any) -> Message:
    identity = f"00000000-0000-0000-0000-00000000000{offset}"
    row = {
        **{"id": identity, "user_id": identity, "account_type": "checking", "currency": "EUR", "status": "active"},
        **{"balance": balance, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"},
    }
    source = {"ts_ms": 1_767_225_600_000, "lsn": 100 + offset, "snapshot": "false"}
    envelope: dict[str, Any] = {"op": "c", "before": None, "after": row, "source": source, "ts_ms": 1}
    if schema is not None:
        fields = [{**schema, "field": "balance"}]
        parts = [{"type": "struct", "field": part, "fields": fields} for part in ("before", "after")]
        envelope = {"schema": {"type": "struct", "fields": parts}, "payload": envelope}
    key = json.dumps({"id": identity}).encode()
    return Message(ACCOUNTS.topic, 0, offset, 1_767_225_600_000, key, json.dumps(envelope).encode())


def test_each_row_is_read_as_its_own_schema_says(platform: Platform) -> None:
    """`12.3456` does not fit the column's scale: it is refused and not rounded."""
    take(platform, ACCOUNTS, [_account(n, schema, sent) for n, (schema, sent, _) in enumerate(SENT)])
    fold(platform, ACCOUNTS)
    held = {int(row["id"][-1]): row["balance"] for row in current(platform, ACCOUNTS)}
    assert held == {n: Decimal(meant) for n, (*_, meant) in enumerate(SENT) if meant != "12.3456"}


def test_what_debezium_tells_beside_changes_is_passed_over(platform: Platform) -> None:
    """Nor are its fields taken for columns that the contract does not name."""
    beside = [
        b'{"ts_ms":1}',
        b'{"op":"m","ts_ms":1,"source":{"ts_ms":1,"lsn":9},"message":{"prefix":"p","content":"aGk="}}',
    ]
    told = [
        _account(0, None, "1.00"),
        *(_account(0, None, "0")._replace(offset=1 + n, value=v) for n, v in enumerate(beside)),
    ]
    take(platform, ACCOUNTS, told)
    fold(platform, ACCOUNTS)
    assert [row["balance"] for row in current(platform, ACCOUNTS)] == [Decimal("1.00")]
    handle = platform.open_catalog().load_table(changes_name(ACCOUNTS))
    assert undeclared(ACCOUNTS, marks(handle)) == {}
    assert account(marks(handle)).ignored == len(beside)


def test_a_flat_stream_leads_to_the_rows_of_the_same_stream_in_envelopes(platform: Platform) -> None:
    told = scenario(ACCOUNTS, 5, rows=15, transactions=40, full_before=True, truncates=0).stream.messages
    flat = with_source(ACCOUNTS, envelope="flat")
    take(platform, ACCOUNTS, told)
    fold(platform, ACCOUNTS)
    other = replace(platform, home=platform.home / "flat")
    with open_platform(other.home) as of_flat:
        take(of_flat, flat, [_flattened(m) for m in told])
        fold(of_flat, flat)
        assert _seen(of_flat, flat) == _seen(platform, ACCOUNTS)
    assert {row["op"] for row in changes(platform, ACCOUNTS)} == {"c", "u", "d", "r"}


def _flattened(message: Message) -> Message:
    """What ExtractNewRecordState makes of an envelope, with deletes rewritten."""
    if message.value is None:
        return message
    envelope = json.loads(message.value)
    block = {k: None if (k, v) == ("snapshot", "false") else v for k, v in envelope["source"].items()}
    kept = {f"__source_{k}": block[k] for k in ("ts_ms", "snapshot", "lsn", "sequence", "txId")}
    gone = envelope["op"] == "d"
    row = envelope["before"] if gone else envelope["after"]
    flat = {**row, "__deleted": str(gone).lower(), "__op": envelope["op"], **kept}
    return message._replace(value=json.dumps(flat).encode())


def _seen(platform: Platform, table: Table) -> list[list[dict[str, Any]]]:
    """The changes and the current rows, but for when they were landed."""
    return [
        sorted(({**row, "ingestion_timestamp": None} for row in found), key=lambda row: json.dumps(row, default=str))
        for found in (changes(platform, table), current(platform, table))
    ]
