"""Retail's marts over hand-written rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

RETAIL = ("int_order_items_enriched", "int_customer_orders", "dim_customers", "dim_products", "fct_orders",
          "weekly_metrics", "monthly_metrics")  # fmt: skip


def order(order_id: int, day: int, status: str = "completed", customer_id: int = 1) -> dict[str, Any]:
    return {"order_id": order_id, "customer_id": customer_id, "order_date": date(2026, 3, day), "status": status,
            "payment_method": "card", "shipping_cost": Decimal("1.25")}  # fmt: skip


def item(item_id: int, order_id: int, quantity: int, price: str, discount: str = "0", product_id: int = 7) -> Any:
    return {"order_item_id": item_id, "order_id": order_id, "product_id": product_id, "quantity": quantity,
            "unit_price": Decimal(price), "discount": Decimal(discount)}  # fmt: skip


def fill(lake: Any, orders: list[Any], items: list[Any]) -> None:
    customer = {"first_name": "Ada", "last_name": "Byron", "email": "a@x", "country": "UK"}
    lake.file_rows(
        "retail_customers", *(customer | {"customer_id": n, "signup_date": date(2026, 1, n)} for n in (1, 2))
    )
    lake.file_rows("retail_products", {"product_id": 7, "product_name": "Tea", "category": "Food",
                                       "price": Decimal("4.00"), "cost": Decimal("1.00")})  # fmt: skip
    lake.file_rows("retail_orders", *orders)
    lake.file_rows("retail_order_items", *items)


def test_amounts_are_summed_exactly_and_rounded_once(lake):
    orders = [order(1, 1), order(2, 1), order(3, 2, "cancelled")]
    items = [item(1, 1, 1, "0.05", "0.1"), item(2, 1, 1, "0.05", "0.1"), item(3, 2, 3, "10.00", "0.25"),
             item(4, 3, 1, "99.00")]  # fmt: skip
    fill(lake, orders, items)
    assert set(lake.build(*RETAIL).values()) == {"built"}
    amounts = ("order_id", "items", "gross_amount", "discount_amount", "net_amount")
    assert lake.rows("marts.fct_orders", *amounts) == [
        (1, 2, Decimal("0.10"), Decimal("0.01"), Decimal("1.34")),
        (2, 3, Decimal("30.00"), Decimal("7.50"), Decimal("23.75")),
        (3, 1, Decimal("99.00"), Decimal("0.00"), Decimal("100.25")),
    ]
    line = ("order_item_id", "line_amount", "discount_amount", "cost_amount", "margin")
    assert lake.rows("marts.int_order_items_enriched", *line)[2] == (
        3, Decimal("30.00"), Decimal("7.50"), Decimal("3.00"), Decimal("19.50"),
    )  # fmt: skip
    assert lake.rows("marts.monthly_metrics") == [
        (date(2026, 3, 1), "Tea", Decimal("22.59"), 2, Decimal("11.30")),
    ]
    assert lake.rows("marts.weekly_metrics", "week", "orders") == [(date(2026, 2, 23), 2)]


def test_a_customer_is_new_regular_or_loyal(lake):
    orders = [order(n, n) for n in range(1, 6)]
    fill(lake, orders, [item(n, n, 1, "2.00") for n in range(1, 6)])
    lake.build(*RETAIL)
    assert lake.rows("marts.dim_customers", "customer_id", "full_name", "orders", "lifetime_amount", "segment") == [
        (1, "Ada Byron", 5, Decimal("16.25"), "loyal"),
        (2, "Ada Byron", 0, Decimal("0.00"), "new"),
    ]
    assert lake.rows("marts.dim_products", "product_id", "margin_rate") == [(7, 0.75)]


def test_only_the_days_of_orders_that_differ_become_stale(lake):
    daily = ("daily_sales_summary", "daily_metrics")
    fill(lake, [order(1, 1), order(2, 2)], [item(1, 1, 1, "2.00"), item(2, 2, 1, "3.00")])
    lake.build(*RETAIL)
    assert lake.stale("daily_sales_summary") == [1, 2]
    lake.build(*daily, days=(1, 2))
    assert lake.rows("marts.daily_sales_summary") == [
        (date(2026, 3, 1), 1, 1, 1, Decimal("2.00"), Decimal("0.00"), Decimal("3.25"), Decimal("3.25")),
        (date(2026, 3, 2), 1, 1, 1, Decimal("3.00"), Decimal("0.00"), Decimal("4.25"), Decimal("4.25")),
    ]
    lake.file_rows("retail_orders", order(1, 1), order(2, 2, "returned"))
    lake.build(*RETAIL)
    assert [lake.stale(mart) for mart in daily] == [[2], [2]]
    lake.build(*daily, days=(2, 2))
    assert lake.rows("marts.daily_metrics", "date", "orders") == [(date(2026, 3, 1), 1)]


def test_a_table_whose_rows_are_the_same_does_not_move(lake):
    fill(lake, [order(1, 1)], [item(1, 1, 1, "2.00")])
    lake.build(*RETAIL)
    lake.file_rows("retail_orders", order(1, 1))
    states = lake.build(*RETAIL)
    assert states["fct_orders"] == "built"
    assert lake.stale("daily_metrics") == [1]
    lake.build("daily_metrics", days=(1, 1))
    lake.file_rows("retail_orders", order(1, 1))
    lake.build(*RETAIL)
    assert lake.stale("daily_metrics") == []
