"""The shop's vault over hand-written changes."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from lakehouse_assets.vault import manifest


def user(position: int, id: int, op: str = "c", **columns: Any) -> dict[str, Any]:
    row = {"position": position, "day": 1, "op": op, "id": id}
    return row if op == "d" else row | {"username": f"user{id}", "country": "FI", "is_active": True} | columns


def product(position: int, id: int) -> dict[str, Any]:
    return {"position": position, "day": 1, "op": "c", "id": id, "sku": f"s{id}", "price": Decimal("5.00"), "stock": 3}


def order(position: int, id: int, user_id: int, amount: str, on: date, status: str = "paid", op: str = "c") -> Any:
    return {"position": position, "day": 2, "op": op, "id": id, "user_id": user_id, "product_id": 1, "quantity": 1,
            "total_amount": Decimal(amount), "status": status,
            "order_date": datetime(on.year, on.month, on.day, 12)}  # fmt: skip


def session(position: int, id: int, user_id: int) -> dict[str, Any]:
    return {"position": position, "day": 1, "op": "c", "id": id, "user_id": user_id, "device": "web"}


def build_shop(lake: Any) -> dict[str, str]:
    models = manifest.project().models.values()
    return lake.build(*(m.name for m in models if "shop" in m.name), "customer_lifetime_value", "monthly_sales")


def test_every_entity_of_the_shop_is_built(lake):
    lake.change("shop_users", user(1, 1), user(2, 2))
    lake.change("shop_products", product(1, 1))
    lake.change("shop_orders", order(1, 1, 1, "10.00", date(2026, 1, 5)))
    lake.change("shop_user_sessions", session(1, 9, 1))
    states = build_shop(lake)
    assert set(states.values()) == {"built"}
    assert len(states) == 4 + 3 + 4 + 3 + 4 + 2
    links = ("l_shop_orders_users", "l_shop_orders_products", "l_shop_user_sessions_users")
    assert [len(lake.rows(f"raw_vault.{name}")) for name in links] == [1, 1, 1]
    hub = lake.rows("raw_vault.h_shop_user_sessions", "h_shop_user_session_hk", "user_session_id")
    assert [row[1] for row in hub] == [9]
    assert lake.rows("raw_vault.l_shop_user_sessions_users", "h_shop_user_session_hk") == [(hub[0][0],)]


def test_lifetime_value_counts_present_orders_of_present_users(lake):
    lake.change("shop_users", user(1, 1), user(2, 2), user(3, 3), user(4, 3, "d"))
    lake.change("shop_products", product(1, 1))
    lake.change(
        "shop_orders",
        order(1, 1, 1, "10.00", date(2026, 1, 5)),
        order(2, 2, 1, "20.00", date(2026, 3, 1)),
        order(3, 3, 1, "30.00", date(2026, 3, 5), "cancelled"),
        order(4, 4, 3, "40.00", date(2026, 3, 6)),
        order(5, 5, 2, "1.00", date(2026, 3, 6)),
        order(6, 5, 2, "1.00", date(2026, 3, 6), "returned", "u"),
    )
    lake.change("shop_user_sessions", session(1, 9, 1))
    build_shop(lake)
    assert lake.rows("marts.customer_lifetime_value") == [
        (1, "user1", "FI", 3, Decimal("30.00"), 2, datetime(2026, 3, 5, 12)),
        (2, "user2", "FI", 1, Decimal("0.00"), 1, datetime(2026, 3, 6, 12)),
    ]
    assert lake.rows("marts.monthly_sales") == [
        (date(2026, 1, 1), Decimal("10.00"), 1, 1),
        (date(2026, 3, 1), Decimal("60.00"), 2, 2),
    ]
