"""The retail chain's exports: the same for the same seed, consistent, awkward, and true to their truth."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest

from lakehouse_assets.contracts import registry
from lakehouse_assets.sources.files import Row, csv_text, retail_history, write_delivery
from lakehouse_assets.sources.rows import violations
from lakehouse_assets.sources.values import Value

DAY = date(2026, 1, 31)
HISTORY = retail_history(5, DAY, customers=40, products=15, orders=200, increments=3)


def test_the_same_seed_gives_the_same_files_and_another_seed_others() -> None:
    assert retail_history(5, DAY, customers=40, products=15, orders=200, increments=3) == HISTORY
    assert retail_history(6, DAY, customers=40, products=15, orders=200, increments=3) != HISTORY


def test_the_latest_row_of_a_business_key_is_the_truth() -> None:
    latest: dict[str, dict[int, Row]] = {table: {} for table in HISTORY.truth}
    for delivery in HISTORY.deliveries:
        for table, rows in delivery.rows.items():
            latest[table].update({int(next(iter(row.values()))): row for row in rows})
    assert latest == HISTORY.truth


def test_no_row_refers_to_one_that_has_not_been_delivered() -> None:
    seen: dict[str, set[str]] = {table: set() for table in HISTORY.truth}
    for delivery in HISTORY.deliveries:
        for table, rows in delivery.rows.items():
            seen[table].update(next(iter(row.values())) for row in rows)
        for order in delivery.rows["orders"]:
            assert order["customer_id"] in seen["customers"]
        for item in delivery.rows["order_items"]:
            assert item["order_id"] in seen["orders"]
            assert item["product_id"] in seen["products"]


def test_orders_lie_in_the_twelve_months_that_end_with_the_day() -> None:
    days = sorted(row["order_date"] for row in HISTORY.truth["orders"].values())
    assert days[0] > "2025-01-31"
    assert days[-1] == "2026-01-31"
    assert len({d[:7] for d in days}) >= 12


def test_later_deliveries_bring_new_orders_changed_orders_and_changed_customers() -> None:
    first, *increments = HISTORY.deliveries
    known = {row["order_id"] for row in first.rows["orders"]}
    later = [row["order_id"] for d in increments for row in d.rows["orders"]]
    assert set(later) & known
    assert set(later) - known
    assert len(later) > len(set(later))
    customers = {row["customer_id"] for row in first.rows["customers"]}
    assert customers & {row["customer_id"] for d in increments for row in d.rows["customers"]}


@pytest.mark.parametrize("name", HISTORY.truth)
def test_every_row_keeps_the_rules_of_its_contract(name: str) -> None:
    table = registry.table(f"retail_{name}")
    numeric = {c.name for c in table.columns if c.type.kind in ("int", "decimal")}
    for row in HISTORY.truth[name].values():
        assert list(row) == [c.name for c in table.columns]
        assert all(row.values())
        typed: dict[str, Value] = {k: float(v) if k in numeric else v for k, v in row.items()}
        assert violations(table, typed) == ()


def test_awkward_texts_come_back_from_the_csv_as_they_were() -> None:
    rows = HISTORY.deliveries[0].rows["customers"]
    text = csv_text(rows)
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == list(rows)
    for awkward in ('"Robert ""Bob"""', '"Smith, Jr."', '"de\nla Cruz"', "NULL", "さくら"):
        assert awkward in text


def test_files_appear_whole_under_the_name_of_their_delivery(tmp_path: Path) -> None:
    written = [path for delivery in HISTORY.deliveries for path in write_delivery(tmp_path, delivery)]
    assert tmp_path / "retail" / "orders" / "orders-0002.csv" in written
    assert sorted(written) == sorted(p for p in tmp_path.rglob("*") if p.is_file())
    before = {p: p.read_bytes() for p in written}
    write_delivery(tmp_path, HISTORY.deliveries[0])
    assert {p: p.read_bytes() for p in written} == before
