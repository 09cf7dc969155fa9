"""The marts of retail, from its four current tables.

An item or order that refers to a row that is not there keeps its place, with null where that row would have been read.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from .amounts import cents, month_of, week_of
from .files import retail
from .inputs import Inputs, Row, Rows

CANCELLED = frozenset({"cancelled", "returned"})
Period = Literal["date", "week", "month"]
AMOUNTS = ("line_amount", "discount_amount", "cost_amount", "margin")


def int_order_items_enriched(inputs: Inputs) -> Rows:
    """One row per order item: line_amount = quantity * unit_price, discount_amount = line_amount * discount,
    cost_amount = quantity * cost, margin = line_amount - discount_amount - cost_amount. Each is rounded from its exact
    value; what other marts sum are the exact ones."""
    return [
        {**item, **{column: cents(item[column]) for column in AMOUNTS if item[column] is not None}}
        for item in _exact_items(inputs)
    ]


def _exact_items(inputs: Inputs) -> Rows:
    """discount_amount and margin have six places."""
    orders = _by_key(inputs, "retail_orders", "order_id")
    products = _by_key(inputs, "retail_products", "product_id")
    rows = []
    for item in retail(inputs, "retail_order_items"):
        order, product = orders.get(item["order_id"], {}), products.get(item["product_id"], {})
        line = item["quantity"] * item["unit_price"]
        discount = line * item["discount"]
        cost = item["quantity"] * product["cost"] if product else None
        rows.append(
            {
                **item,
                **{column: order.get(column) for column in ("customer_id", "order_date", "status")},
                **{column: product.get(column) for column in ("product_name", "category")},
                "line_amount": line,
                "discount_amount": discount,
                "cost_amount": cost,
                "margin": line - discount - cost if cost is not None else None,
            }
        )
    return rows


def fct_orders(inputs: Inputs) -> Rows:
    """One row per order, whatever its status and also without items. items is the sum of quantities; net_amount is
    rounded from the exact gross - discount + shipping."""
    return [
        {
            **{column: order[column] for column in ("order_id", "customer_id", "order_date", "status")},
            "items": sum(item["quantity"] for item in items),
            "gross_amount": cents(_sum(items, "line_amount")),
            "discount_amount": cents(_sum(items, "discount_amount")),
            "shipping_cost": order["shipping_cost"],
            "net_amount": cents(_net_amount(order, items)),
        }
        for order, items in _orders_with_items(inputs)
    ]


def int_customer_orders(inputs: Inputs) -> Rows:
    """One row per customer with orders, over all of them whatever their status. lifetime_amount is rounded from the
    exact sum of net amounts; avg_order_amount = lifetime_amount / orders, rounded."""
    by_customer: dict[int, list[tuple[Row, Rows]]] = defaultdict(list)
    for order, items in _orders_with_items(inputs):
        by_customer[order["customer_id"]].append((order, items))
    rows = []
    for customer_id, orders in by_customer.items():
        dates = [order["order_date"] for order, _ in orders]
        lifetime = cents(sum((_net_amount(order, items) for order, items in orders), Decimal()))
        rows.append(
            {
                "customer_id": customer_id,
                "orders": len(orders),
                "first_order_date": min(dates),
                "last_order_date": max(dates),
                "lifetime_amount": lifetime,
                "avg_order_amount": cents(lifetime / len(orders)),
            }
        )
    return rows


def dim_customers(inputs: Inputs) -> Rows:
    """One row per customer; without orders 0, 0.00 and `new`. full_name is first and last name with a space."""
    ordered = {row["customer_id"]: row for row in int_customer_orders(inputs)}
    rows = []
    for customer in retail(inputs, "retail_customers"):
        of_orders = ordered.get(customer["customer_id"], {})
        orders = of_orders.get("orders", 0)
        rows.append(
            {
                "customer_id": customer["customer_id"],
                "full_name": f"{customer['first_name']} {customer['last_name']}",
                **{column: customer[column] for column in ("email", "country", "signup_date")},
                "orders": orders,
                "lifetime_amount": of_orders.get("lifetime_amount", Decimal("0.00")),
                "segment": "new" if orders <= 1 else "regular" if orders <= 4 else "loyal",
            }
        )
    return rows


def dim_products(inputs: Inputs) -> Rows:
    """One row per product; margin_rate = (price - cost) / price, 0 where the price is 0."""
    rows = []
    for product in retail(inputs, "retail_products"):
        price, cost = product["price"], product["cost"]
        rows.append({**product, "margin_rate": float((price - cost) / price) if price else 0.0})
    return rows


def daily_sales_summary(inputs: Inputs) -> Rows:
    """`fct_orders` per order_date, all statuses: sums of its rounded columns. avg_order_amount = net_amount / orders,
    rounded."""
    by_day: dict[date, Rows] = defaultdict(list)
    for order in fct_orders(inputs):
        by_day[order["order_date"]].append(order)
    return [
        {
            "order_date": day,
            "orders": len(orders),
            "customers": len({order["customer_id"] for order in orders}),
            "items": sum(order["items"] for order in orders),
            "gross_amount": _sum(orders, "gross_amount"),
            "discount_amount": _sum(orders, "discount_amount"),
            "net_amount": _sum(orders, "net_amount"),
            "avg_order_amount": cents(_sum(orders, "net_amount") / len(orders)),
        }
        for day, orders in by_day.items()
    ]


def product_metrics(inputs: Inputs, period: Period) -> Rows:
    """daily_, weekly_ and monthly_metrics: items of known products in orders not cancelled or returned, per period and
    product_name. orders are distinct; avg_order_value = rounded revenue / orders, rounded."""
    start = {"date": lambda day: day, "week": week_of, "month": month_of}[period]
    groups: dict[tuple[date, str], Rows] = defaultdict(list)
    for item in _exact_items(inputs):
        if item["status"] is not None and item["status"] not in CANCELLED and item["product_name"] is not None:
            groups[start(item["order_date"]), item["product_name"]].append(item)
    rows = []
    for (begin, product), items in groups.items():
        revenue = cents(_sum(items, "line_amount") - _sum(items, "discount_amount"))
        orders = len({item["order_id"] for item in items})
        rows.append(
            {
                period: begin,
                "product": product,
                "revenue": revenue,
                "orders": orders,
                "avg_order_value": cents(revenue / orders),
            }
        )
    return rows


def _orders_with_items(inputs: Inputs) -> list[tuple[Row, Rows]]:
    items: dict[int, Rows] = defaultdict(list)
    for item in _exact_items(inputs):
        items[item["order_id"]].append(item)
    return [(order, items[order["order_id"]]) for order in retail(inputs, "retail_orders")]


def _net_amount(order: Row, items: Rows) -> Decimal:
    shipping: Decimal = order["shipping_cost"]
    return _sum(items, "line_amount") - _sum(items, "discount_amount") + shipping


def _sum(rows: Rows, column: str) -> Decimal:
    return sum((row[column] for row in rows), Decimal())


def _by_key(inputs: Inputs, table_id: str, key: str) -> dict[Any, Row]:
    return {row[key]: row for row in retail(inputs, table_id)}
