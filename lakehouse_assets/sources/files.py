"""The retail chain's CSV exports, the same for the same seed: a first delivery, then one a day with what changed.

The deliveries agree with each other: a row refers only to rows delivered before or with it, and the latest row of a
business key counts. Where it stops: one delivery is written at a time; nothing is landed.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

SOURCE = "retail"
Row = dict[str, str]

_FIRST_NAMES = ("Ann", "José", "Zoë", "Ольга", "さくら", "Anne-Marie", 'Robert "Bob"', "Null", "Ngọc", "D'Arcy")
_LAST_NAMES = ("Smith, Jr.", "O'Neill", "Ångström", "van der Berg", "王", "Müller", "NULL", "de\nla Cruz", "N/A", "Łoś")
_COUNTRIES = ("Germany", "Côte d'Ivoire", "日本", "United States", "Korea, Republic of", "Brazil")
_GOODS = ("Mug", 'Cable 3/8"', "Chair, folding", "Café crème", "Lamp\nwith shade", "007 Poster", "Socks 👣", "Tea")
_CATEGORIES = ("home", "garden & yard", "kids", "0042", "food, drink")
_PAYMENTS = ("card", "cash", "bank transfer", "gift card, partly", "001")
_DISCOUNTS = ("0.0000", "0.0000", "0.0500", "0.1000", "0.1250", "0.3333", "1.0000")
_SETTLED = (*("completed",) * 8, "returned", "cancelled")
_NEXT_STATUS = {"placed": ("shipped", "shipped", "cancelled"), "shipped": ("completed", "completed", "returned")}


@dataclass(frozen=True)
class Delivery:
    """The files of one day: table to its rows in order. A key may come twice; then its later row counts."""

    number: int
    day: date
    rows: Mapping[str, tuple[Row, ...]]


@dataclass(frozen=True)
class RetailHistory:
    """`truth` is table to business key to the row that counts after all deliveries, values as the files write them."""

    deliveries: tuple[Delivery, ...]
    truth: Mapping[str, Mapping[int, Row]]


def retail_history(
    seed: int,
    until: date,
    customers: int = 200,
    products: int = 60,
    orders: int = 1200,
    increments: int = 1,
    days: int = 365,
) -> RetailHistory:
    """Orders over the `days` that end with `until`; the last `increments` days come one delivery each."""
    chain = _Chain(random.Random(seed))
    opening = until - timedelta(days=days)
    first = until - timedelta(days=increments)
    for _ in range(products):
        chain.add_product()
    for _ in range(customers):
        chain.add_customer(opening - timedelta(days=chain.random.randrange(1, 700)))
    for day in sorted(
        opening + timedelta(days=1 + chain.random.randrange((first - opening).days)) for _ in range(orders)
    ):
        chain.add_order(day, settled=(first - day).days > 14)
    deliveries = [chain.deliver(1, first)]
    for n in range(1, increments + 1):
        chain.trade(first + timedelta(days=n), new_orders=max(1, orders // days * 2))
        deliveries.append(chain.deliver(n + 1, first + timedelta(days=n)))
    return RetailHistory(tuple(deliveries), chain.tables)


def csv_text(rows: Sequence[Row]) -> str:
    """A header line and one record per row, quoted where needed; a value may hold a line break."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_delivery(files: Path, delivery: Delivery) -> list[Path]:
    """Write `<files>/retail/<table>/<table>-NNNN.csv`, each whole or not at all; the paths. Again is harmless."""
    written = []
    for table, rows in delivery.rows.items():
        target = files / SOURCE / table / f"{table}-{delivery.number:04d}.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.part")
        unfinished.write_text(csv_text(rows), encoding="utf-8", newline="")
        unfinished.replace(target)
        written.append(target)
    return written


class _Chain:
    """The chain's books, and which rows are new or changed since the last delivery."""

    def __init__(self, numbers: random.Random) -> None:
        self.random = numbers
        self.tables: dict[str, dict[int, Row]] = {"customers": {}, "products": {}, "orders": {}, "order_items": {}}
        self._changed: dict[str, list[Row]] = {table: [] for table in self.tables}

    def deliver(self, number: int, day: date) -> Delivery:
        rows = {table: tuple(changed) for table, changed in self._changed.items() if changed}
        self._changed = {table: [] for table in self.tables}
        return Delivery(number, day, rows)

    def add_customer(self, day: date) -> None:
        n = len(self.tables["customers"]) + 1
        first, last = self.random.choice(_FIRST_NAMES), self.random.choice(_LAST_NAMES)
        country = self.random.choice(_COUNTRIES)
        row = {"first_name": first, "last_name": last, "email": f"customer{n}@example.com", "country": country}
        self._put("customers", {"customer_id": str(n), **row, "signup_date": day.isoformat()})

    def add_product(self) -> None:
        n = len(self.tables["products"]) + 1
        cents = self.random.choice((1, 99, 1999, self.random.randrange(100, 50_000)))
        cost = cents * self.random.randrange(20, 110) // 100
        name, category = f"{self.random.choice(_GOODS)} {n}", self.random.choice(_CATEGORIES)
        row = {"product_id": str(n), "product_name": name, "category": category}
        self._put("products", {**row, "price": _money(cents), "cost": _money(cost)})

    def add_order(self, day: date, settled: bool) -> None:
        n = len(self.tables["orders"]) + 1
        order = {
            "order_id": str(n),
            "customer_id": str(self._any("customers")),
            "order_date": day.isoformat(),
            "status": self.random.choice(_SETTLED) if settled else "placed",
            "payment_method": self.random.choice(_PAYMENTS),
            "shipping_cost": _money(self.random.choice((0, 499, 1250))),
        }
        self._put("orders", order)
        for _ in range(self.random.randrange(1, 5)):
            product = self._any("products")
            item = {
                "order_item_id": str(len(self.tables["order_items"]) + 1),
                "order_id": str(n),
                "product_id": str(product),
                "quantity": str(self.random.choice((1, 1, 2, 3, 12))),
                "unit_price": self.tables["products"][product]["price"],
                "discount": self.random.choice(_DISCOUNTS),
            }
            self._put("order_items", item)

    def trade(self, day: date, new_orders: int) -> None:
        """One day: orders move on, some twice, new ones come, a few customers move and a few prices change."""
        for row in list(self.tables["orders"].values()):
            while (choices := _NEXT_STATUS.get(row["status"])) and self.random.random() < 0.4:
                row = {**row, "status": self.random.choice(choices)}
                self._put("orders", row)
        for _ in range(2):
            self.add_customer(day)
            moved = self.tables["customers"][self._any("customers")]
            self._put(
                "customers", {**moved, "country": self.random.choice(_COUNTRIES), "email": f"moved.{moved['email']}"}
            )
            dearer = self.tables["products"][self._any("products")]
            self._put("products", {**dearer, "price": str(Decimal(dearer["price"]) + 1)})
        for _ in range(new_orders):
            self.add_order(day, settled=False)

    def _any(self, table: str) -> int:
        return self.random.randrange(len(self.tables[table])) + 1

    def _put(self, table: str, row: Row) -> None:
        self.tables[table][int(next(iter(row.values())))] = row
        self._changed[table].append(row)


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
