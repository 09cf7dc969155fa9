"""The model's events, files and marts on small inputs whose answer is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests import model
from tests.model import json_message

TODAY = date(2026, 1, 31)


def event(offset: int, event_id: str = "e", **fields: Any) -> model.Message:
    complete = {
        "event_id": event_id,
        "user_id": 1,
        "event_type": "click",
        "page": "/",
        "timestamp": "2026-01-01T23:30:00-01:00",
        "source": "web",
        **fields,
    }
    return json_message("user-events", offset, complete)


def test_the_first_event_of_an_id_wins_and_a_contradiction_is_rejected() -> None:
    inputs = model.inputs_of([event(5, page="/b"), event(3), event(4)], today=TODAY)
    assert [(row["offset"], row["event_date"]) for row in model.user_events(inputs)] == [(3, date(2026, 1, 2))]
    assert [(row["offset"], row["rule"]) for row in model.rejects(inputs, "clickstream_user_events")] == [
        (5, "conflicting_duplicate")
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"user_id": 0},
        {"user_id": "x"},
        {"event_type": "swipe"},
        {"page": "home"},
        {"source": None},
        {"timestamp": "2019-12-31T23:59:59Z"},
        {"timestamp": "2026-02-02T00:00:00Z"},
        {"timestamp": "yesterday"},
    ],
)
def test_an_event_that_breaks_a_rule_is_rejected(broken: Mapping[str, Any]) -> None:
    inputs = model.inputs_of([event(0, **broken), event(1, timestamp="2026-02-01T23:59:59Z")], today=TODAY)
    assert [row["offset"] for row in model.rejects(inputs, "clickstream_user_events")] == [0]
    assert [row["offset"] for row in model.user_events(inputs)] == [1]


def test_the_conversion_rate_counts_users_and_the_purchases_events() -> None:
    buys = [event(0, "a", event_type="purchase"), event(1, "b", event_type="purchase"), event(2, "c", user_id=2)]
    assert model.mart(model.inputs_of(buys, today=TODAY), "conversion_rate_daily") == [
        {"event_date": date(2026, 1, 2), "conversion_rate": 0.5, "total_purchases": 2, "dau_count": 2}
    ]


RETAIL = {
    "retail_customers": [
        b"customer_id,first_name,last_name,email,country,signup_date\n1,Ann,Lee,a@example.com,NZ,2025-01-01\n"
    ],
    "retail_products": [b"product_id,product_name,category,price,cost\n7,Cup,kitchen,10.00,4.00\n"],
    "retail_orders": [
        b"order_id,customer_id,order_date,status,payment_method,shipping_cost\n"
        b"1,1,2026-01-07,placed,card,5.00\n2,1,2026-01-07,returned,card,0.00\n",
        b"order_id,customer_id,order_date,status,payment_method,shipping_cost\n"
        b"1,1,2026-01-08,completed,card,5.00\n2,1,soon,placed,card,0.00\n3,1\n",
    ],
    "retail_order_items": [
        b"order_item_id,order_id,product_id,quantity,unit_price,discount\n"
        b"1,1,7,3,9.99,0.1250\n2,1,7,1,0.10,0.0500\n3,2,7,1,10.00,0.0000\n"
    ],
}


def test_the_latest_valid_row_per_key_wins() -> None:
    inputs = model.inputs_of([], RETAIL)
    statuses = {row["order_id"]: row["status"] for row in model.current_rows(inputs, "retail_orders")}
    assert statuses == {1: "completed", 2: "returned"}
    assert [row["offset"] for row in model.rejects(inputs, "retail_orders")] == [3]
    accounting = model.accounting(inputs, "retail_orders")
    assert (accounting.consumed, [each.offset for each in accounting.dead]) == (5, [4])


def test_amounts_are_rounded_once_and_half_up() -> None:
    inputs = model.inputs_of([], RETAIL)
    order = next(row for row in model.mart(inputs, "fct_orders") if row["order_id"] == 1)
    # 29.97 + 0.10 = 30.07; 3.74625 + 0.005 = 3.75125; 30.07 - 3.75125 + 5.00 = 31.31875
    assert (order["items"], order["gross_amount"], order["discount_amount"], order["net_amount"]) == (
        4,
        Decimal("30.07"),
        Decimal("3.75"),
        Decimal("31.32"),
    )
    # The returned order is no revenue; 2026-01-08 is a Thursday.
    assert model.mart(inputs, "weekly_metrics") == [
        {
            "week": date(2026, 1, 5),
            "product": "Cup",
            "revenue": Decimal("26.32"),
            "orders": 1,
            "avg_order_value": Decimal("26.32"),
        }
    ]


def test_every_mart_has_its_key_and_holds_nothing_where_nothing_came() -> None:
    for name, key in model.MART_KEYS.items():
        assert model.mart(model.inputs_of([]), name) == []
        assert all(column in row for row in model.mart(model.inputs_of([], RETAIL), name) for column in key)
