"""Single changes of two tables as Debezium tells them, for tests that need to say exactly what happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.sources.messages import Message

USERS = contract("bank_users")
SESSIONS = contract("shop_user_sessions")
UNTOLD = "__debezium_unavailable_value"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def user(
    offset: int,
    key: str | None,
    op: str,
    lsn: int,
    *,
    partition: int = 0,
    snapshot: str = "",
    is_first: bool = False,
    **row: Any,
) -> Message:
    """A message of bank.public.users, a minute after noon per LSN; `key` is one letter, `row` overrides columns. Of a
    transaction that `is_first` after a snapshot it names no commit."""
    identity = key and f"00000000-0000-0000-0000-00000000000{key}"
    complete = {
        "id": identity,
        "email": "a@example.com",
        "name": "A",
        "notes": None,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **row,
    }
    source = {
        "ts_ms": _milliseconds(NOON + timedelta(minutes=lsn)),
        "lsn": lsn,
        "sequence": json.dumps([None if op == "r" or is_first else str(lsn), str(lsn)]),
        "snapshot": snapshot or ("true" if op == "r" else "false"),
    }
    return _message(USERS.topic, partition, offset, {"id": identity} if identity else None, op, complete, source)


def session(
    offset: int,
    key: int,
    day: int,
    op: str = "c",
    place: int | None = None,
    device: str = "web",
    gtid: str | None = None,
) -> Message:
    """A message of shop.user_sessions: the session began `day` days after 1 January, the change is of that day where
    no `place` in the log is given, and of the 1 March where it is."""
    began = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    complete = {
        "id": key,
        "user_id": 1,
        "device": device,
        "ip_address": None,
        "started_at": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "last_activity": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "is_active": True,
    }
    told = began if place is None else datetime(2026, 3, 1, tzinfo=UTC)
    source = {
        "ts_ms": _milliseconds(told),
        "file": "mysql-bin.000001",
        "pos": place or 1000 + offset,
        "gtid": gtid,
        "row": 0,
        "snapshot": "false",
    }
    return _message(SESSIONS.topic, 0, offset, {"id": key}, op, complete, source)


def _message(
    topic: str, partition: int, offset: int, key: Any, op: str, row: dict[str, Any], source: dict[str, Any]
) -> Message:
    before = {**row, "email": ""} if op == "d" else None
    envelope = {"op": op, "before": before, "after": row if op in "cur" else None, "source": source, "ts_ms": 1}
    told_key = None if key is None else json.dumps(key).encode()
    return Message(topic, partition, offset, 1_767_225_600_000, told_key, json.dumps(envelope).encode())


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
