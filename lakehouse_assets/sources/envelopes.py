"""Debezium's messages of one change: key, envelope and headers, and the tombstone that follows a delete.

Where it stops: partitions, offsets and redelivery are `change_stream.py`'s.
"""

from __future__ import annotations

import json
import re

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.sources.changes import Change
from lakehouse_assets.sources.encodings import Json, encode, zero
from lakehouse_assets.sources.positions import Placed
from lakehouse_assets.sources.rows import Key, Row

UNAVAILABLE = "__debezium_unavailable_value"

Headers = tuple[tuple[str, str], ...]

_ASTRAL = re.compile(r"[\U00010000-\U0010ffff]")


def key_bytes(table: Table, key: Key | None) -> bytes | None:
    """The message's key; None for a truncate, which has none."""
    if key is None:
        return None
    columns = zip(table.key_columns, key, strict=True)
    return _json({c.name: encode(value, c.type, table.source) for c, value in columns})


def envelope(table: Table, placed: Placed, full_before: bool, told_us: int) -> bytes:
    """The message's value; `told_us` is when the connector told the change, in microseconds."""
    change = placed.change
    full = full_before or table.source.connector == "mysql"
    return _json(
        {
            "before": _before(table, change, full),
            "after": _after(table, change, full),
            "source": placed.source,
            "transaction": placed.transaction,
            "op": change.op,
            "ts_ms": told_us // 1000,
            "ts_us": told_us,
            "ts_ns": told_us * 1000,
        }
    )


def headers(table: Table, placed: Placed) -> Headers:
    """What the connector says of itself, after the other key where the change is half of a key update."""
    change = placed.change
    context = {
        "connectorLogicalName": placed.source["name"],
        "taskId": "0",
        "connectorName": placed.source["connector"],
    }
    moved = key_bytes(table, change.moved)
    name = "__debezium.newkey" if change.op == "d" else "__debezium.oldkey"
    other = () if moved is None else ((name, moved.decode()),)
    return (*other, *((f"__debezium.context.{k}", v) for k, v in context.items()))


def _before(table: Table, change: Change, full: bool) -> dict[str, Json] | None:
    if change.before is None or (not full and change.op == "u"):
        return None
    if full:
        return _encoded(table, change.before)
    untold: Row = {c.name: None if c.nullable else zero(c.type) for c in table.live_columns}
    return _encoded(table, {**untold, **{name: change.before[name] for name in table.key}})


def _after(table: Table, change: Change, full: bool) -> dict[str, Json] | None:
    if change.after is None:
        return None
    after = _encoded(table, change.after)
    return after if full else {**after, **dict.fromkeys(change.untouched, UNAVAILABLE)}


def _encoded(table: Table, row: Row) -> dict[str, Json]:
    return {c.name: encode(row[c.name], c.type, table.source) for c in table.live_columns}


def _json(value: object) -> bytes:
    """JSON as Debezium's converter writes it: UTF-8, but escapes for what lies beyond the basic plane."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _ASTRAL.sub(lambda m: json.dumps(m.group())[1:-1], text).encode()
