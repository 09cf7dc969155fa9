"""Rows for every table that a model reads, odd values of every type among them, written as silver would.

The same calls on two lakes give the same rows, commits and numbers. Where it stops: that silver makes such rows of
messages is shown elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice, product
from typing import Any

from lakehouse_assets.contracts import types
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import LogicalType
from tests.vault.conftest import Lake

TEXTS = ("plain", "", "a|b", "a\\b", "=", "'quoted' \"twice\"", "Zoë 東京 🦆", "two\nlines\t", "null", "%_.1", None)
MOMENTS = (
    datetime(2026, 3, 1, 1, 2, 3, 4),
    datetime(1, 1, 1),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
    datetime(1969, 12, 31, 23, 59, 59, 500000),
)
_VALUES: dict[str, tuple[Any, ...]] = {
    "int": (1, 0, -1, 2**31 - 1, -(2**31)),
    "bigint": (1, 0, -1, 2**63 - 1, -(2**63)),
    "unsigned_bigint": (Decimal(1), Decimal(0), Decimal(2**64 - 1), None),
    "duration": (1, 0, -1, 2**63 - 1, -(2**63)),
    "bool": (True, False, None),
    "date": (*(m.date() for m in MOMENTS), None),
    "time": (time(1, 2, 3, 4), time(0), time(23, 59, 59, 999999), None),
    "timestamptz": (*(m.replace(tzinfo=UTC) for m in MOMENTS), None),
    "timestamp": (*(m.replace(tzinfo=UTC) for m in MOMENTS), None),
    "datetime": (*MOMENTS, None),
    "bytes": (b"ab", b"", b"\x00\xff|\\", None),
}

TYPES: tuple[LogicalType, ...] = (
    *(types.text, types.varchar(50), types.char(3), types.uuid, types.json, types.bits(4), types.numeric()),
    *(types.integer, types.bigint, types.unsigned_bigint, types.decimal(15, 2), types.decimal(38, 10), types.duration),
    *(types.boolean, types.date, types.time(6), types.timestamptz(6), types.timestamp(0), types.datetime(3)),
    *(types.interval, types.binary),
)
"""All that a vault hashes."""

KEYS = 7


def values(kind: LogicalType) -> tuple[Any, ...]:
    """Some values of the type, the extreme ones too."""
    if kind.kind == "decimal":
        cent = Decimal(1).scaleb(-(kind.scale or 0))
        most = Decimal(10) ** ((kind.precision or 0) - (kind.scale or 0) - 3) - cent  # sums have room
        return (Decimal(0), cent, -cent, most, Decimal("12.5"))
    return _VALUES.get(kind.kind, TEXTS)


def changes(table: Table, position: int, days: Sequence[int], ops: str, keys: int = KEYS) -> Iterator[dict[str, Any]]:
    """One change per operation and key, each with the next values of its columns, over days in order."""
    for number, (op, key) in enumerate(product(ops, range(keys))):
        at = position + number
        day = days[number * len(days) // (len(ops) * keys)]
        row = {"position": at, "day": day, "minute": number, "op": op}
        if op == "t":
            yield row
            continue
        for place, column in enumerate(table.columns):
            choice = values(column.type)
            row[column.name] = None if op == "d" else choice[(at + place) % len(choice)]
        row |= {name: _key(table, name, key) for name in table.key}
        if op != "d":
            row |= {c.name: _reference(table, c, at) for c in table.columns if c.name.endswith("_id")}
        yield row


def begin(lake: Lake) -> None:
    """Changes of every database table, events and files."""
    for place, table in enumerate(_databases()):
        lake.change(table.id, *changes(table, 100 * place, (1, 2, 3), "cu"))
        lake.change(table.id, *changes(table, 100 * place + 50, (40,), "d", keys=2))
    lake.events(*events(0, (1, 2, 40)))
    lake.file_rows("retail_customers", *(customer(n) for n in range(5)))
    lake.file_rows("retail_products", *(sold(n) for n in range(4)))
    lake.file_rows("retail_orders", *(order(n) for n in range(12)))
    lake.file_rows("retail_order_items", *(item(n) for n in range(30)))


def go_on(lake: Lake) -> None:
    """New changes and late ones, deletes, truncates, a rebuilt day, events of old days and new, files that changed."""
    for place, table in enumerate(_databases()):
        lake.change(table.id, *changes(table, 1_000 + 100 * place, (41,), "u", keys=3))
        lake.change(table.id, *changes(table, 100 * place + 30, (10,), "u", keys=2))
        lake.change(table.id, *islice(changes(table, 1_050 + 100 * place, (42,), "t"), 1))
        lake.change(table.id, *changes(table, 1_060 + 100 * place, (43,), "cd", keys=2))
    first = _databases()[0]
    lake.change(first.id, *changes(first, 10, (3,), "c", keys=3), rebuilt=[date(2026, 3, 3)])
    lake.events(*events(1_000, (2, 44)))
    lake.file_rows("retail_customers", *(customer(n) for n in range(1, 6)))
    lake.file_rows("retail_orders", *(order(n) for n in range(2, 15)))
    lake.file_rows("retail_order_items", *(item(n) for n in range(4, 40)))


def events(first: int, days: Sequence[int], count: int = 30) -> list[tuple[str, int, str, str, str, int]]:
    """Events from number `first` on."""
    kinds, pages, sources = ("page_view", "add_to_cart", "purchase"), ("/Zoë", "/home"), ("web", "mobile")
    return [
        (f"e{n}", n % 7, kinds[n % 3], pages[n % 2], sources[n % 2], days[n % len(days)])
        for n in range(first, first + count)
    ]


def customer(n: int) -> dict[str, Any]:
    return {
        "customer_id": n,
        "first_name": f"Zoë {n}",
        "last_name": "O'Neil|\\",
        "email": f"{n}@example.com",
        "country": "DE",
        "signup_date": date(2025, 1, 1 + n),
    }


def sold(n: int) -> dict[str, Any]:
    price, cost = Decimal("19.99") * n, Decimal("6.67") * n
    return {"product_id": n, "product_name": f"thing {n}", "category": "goods", "price": price, "cost": cost}


def order(n: int) -> dict[str, Any]:
    return {
        "order_id": n,
        "customer_id": 1 + n % 4,
        "order_date": date(2026, 3, 1) + timedelta(days=n),
        "status": ("delivered", "cancelled", "returned", "shipped")[n % 4],
        "shipping_cost": Decimal("4.95"),
    }


def item(n: int) -> dict[str, Any]:
    return {
        "order_item_id": n,
        "order_id": n % 14,
        "product_id": n % 5,
        "quantity": 1 + n % 3,
        "unit_price": Decimal("3.33") if n % 2 else Decimal("0.01"),
        "discount": Decimal("0.3333") if n % 3 else Decimal(0),
    }


def _databases() -> list[Table]:
    return [table for table in tables() if table.source.kind == "cdc"]


def _key(table: Table, name: str, key: int) -> Any:
    column = next(c for c in table.columns if c.name == name)
    return key + 1 if column.type.kind in ("int", "bigint") else f"key {key} |\\ ü"


def _reference(table: Table, column: Column, at: int) -> Any:
    return _key(table, column.name, at % (KEYS + 2))
