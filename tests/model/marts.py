"""Every mart of TABLES.md, without updated_at, and the marts of clickstream, bank and shop.

Amounts are Decimal with two places. Sums are exact and rounded once, half up, when they become a mart's column; what a
mart derives from its own columns (an average) starts from the rounded ones. Rates are float, counts int.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

from . import retail_marts
from .amounts import cents, month_of
from .changes import changes, current
from .events import user_events
from .inputs import Inputs, Rows
from .vault import history, intervals

CANCELLED = frozenset({"cancelled", "returned"})
RECENT = timedelta(days=30)


def mart(inputs: Inputs, name: str) -> Rows:
    """The rows of `marts.<name>` and of `gold.<name>`, in no order; a KeyError names an unknown mart."""
    return _MARTS[name](inputs)


def daily_active_users(inputs: Inputs) -> Rows:
    """Users with any event, per day with events."""
    return [{"event_date": day, "dau_count": len(users)} for day, users in _users_by_day(inputs).items()]


def conversion_rate_daily(inputs: Inputs) -> Rows:
    """Users with a purchase / active users, per day with events. total_purchases counts events, not users."""
    buyers = _users_by_day(inputs, "purchase")
    purchases = Counter(event["event_date"] for event in user_events(inputs) if event["event_type"] == "purchase")
    return [
        {
            "event_date": day,
            "conversion_rate": len(buyers.get(day, ())) / len(users),
            "total_purchases": purchases[day],
            "dau_count": len(users),
        }
        for day, users in _users_by_day(inputs).items()
    ]


def events_per_source_daily(inputs: Inputs) -> Rows:
    """Events per day and source that has any."""
    counts = Counter((event["event_date"], event["source"]) for event in user_events(inputs))
    return [{"event_date": day, "source": source, "event_count": count} for (day, source), count in counts.items()]


def purchases_per_page_daily(inputs: Inputs) -> Rows:
    """Purchases per day and page that has any."""
    purchases = (event for event in user_events(inputs) if event["event_type"] == "purchase")
    counts = Counter((event["event_date"], event["page"]) for event in purchases)
    return [{"event_date": day, "page": page, "purchase_count": count} for (day, page), count in counts.items()]


def user_growth_daily(inputs: Inputs) -> Rows:
    """Changes c, u and d of the bank's users per change_date; a day with snapshot reads alone has no row."""
    counts = Counter((row["change_date"], row["op"]) for row in changes(inputs, "bank_users"))
    return [
        {
            "event_date": day,
            "new_users": counts[day, "c"],
            "updated_users": counts[day, "u"],
            "deleted_users": counts[day, "d"],
        }
        for day in {day for day, op in counts if op in "cud"}
    ]


def account_balance_latest(inputs: Inputs) -> Rows:
    """One row per current account; as_of is the time of its last change, whatever that changed."""
    return [
        {
            "account_id": row["id"],
            "user_id": row["user_id"],
            "currency": row["currency"],
            "balance": row["balance"],
            "as_of": row["change_time"],
        }
        for row in current(inputs, "bank_accounts")
    ]


def account_balance_history(inputs: Inputs) -> Rows:
    """`business_vault.s_accounts_history` collapsed to the intervals of one (balance, is_deleted). A deletion is an
    interval with a null balance; intervals without length (several changes at one time) are kept."""
    runs = [{**row, "since": row["valid_from"]} for row in history(inputs, "s_accounts")]
    return [
        {"account_id": run["business_key"], **{column: run[column] for column in run if column != "business_key"}}
        for run in intervals(runs, ("balance", "is_deleted"), "since")
    ]


def customer_lifetime_value(inputs: Inputs) -> Rows:
    """One row per current user of the shop.

    orders, recent_orders and last_order_date (a datetime, as order_date is) are over all current orders of the user,
    lifetime_value over those not cancelled or returned. Recent is order_date >= the newest of all orders - 30 days.
    """
    orders = current(inputs, "shop_orders")
    newest: datetime = max((order["order_date"] for order in orders), default=datetime.min)
    by_user: dict[int, Rows] = defaultdict(list)
    for order in orders:
        by_user[order["user_id"]].append(order)
    return [
        {
            "user_id": user["id"],
            "username": user["username"],
            "country": user["country"],
            "orders": len(own := by_user[user["id"]]),
            "lifetime_value": cents(sum((order["total_amount"] for order in _kept(own)), Decimal())),
            "recent_orders": sum(newest - order["order_date"] <= RECENT for order in own),
            "last_order_date": max((order["order_date"] for order in own), default=None),
        }
        for user in current(inputs, "shop_users")
    ]


def monthly_sales(inputs: Inputs) -> Rows:
    """Current orders not cancelled or returned, by the first day of order_date's month."""
    by_month: dict[date, Rows] = defaultdict(list)
    for order in _kept(current(inputs, "shop_orders")):
        by_month[month_of(order["order_date"])].append(order)
    return [
        {
            "month": month,
            "revenue": cents(sum((order["total_amount"] for order in orders), Decimal())),
            "customers": len({order["user_id"] for order in orders}),
            "orders": len(orders),
        }
        for month, orders in by_month.items()
    ]


def _kept(orders: Rows) -> Rows:
    return [order for order in orders if order["status"] not in CANCELLED]


def _users_by_day(inputs: Inputs, event_type: str | None = None) -> dict[date, set[int]]:
    users: dict[date, set[int]] = defaultdict(set)
    for event in user_events(inputs):
        if event_type in (None, event["event_type"]):
            users[event["event_date"]].add(event["user_id"])
    return users


_MARTS: dict[str, Callable[[Inputs], Rows]] = {
    "daily_active_users": daily_active_users,
    "conversion_rate_daily": conversion_rate_daily,
    "events_per_source_daily": events_per_source_daily,
    "purchases_per_page_daily": purchases_per_page_daily,
    "user_growth_daily": user_growth_daily,
    "account_balance_latest": account_balance_latest,
    "account_balance_history": account_balance_history,
    "int_order_items_enriched": retail_marts.int_order_items_enriched,
    "int_customer_orders": retail_marts.int_customer_orders,
    "dim_customers": retail_marts.dim_customers,
    "dim_products": retail_marts.dim_products,
    "fct_orders": retail_marts.fct_orders,
    "daily_sales_summary": retail_marts.daily_sales_summary,
    "daily_metrics": partial(retail_marts.product_metrics, period="date"),
    "weekly_metrics": partial(retail_marts.product_metrics, period="week"),
    "monthly_metrics": partial(retail_marts.product_metrics, period="month"),
    "customer_lifetime_value": customer_lifetime_value,
    "monthly_sales": monthly_sales,
}

MART_KEYS: dict[str, tuple[str, ...]] = {
    "daily_active_users": ("event_date",),
    "conversion_rate_daily": ("event_date",),
    "events_per_source_daily": ("event_date", "source"),
    "purchases_per_page_daily": ("event_date", "page"),
    "user_growth_daily": ("event_date",),
    "account_balance_latest": ("account_id",),
    # Changes of one transaction have one time: intervals without length share their valid_from.
    "account_balance_history": ("account_id", "valid_from", "valid_to", "balance", "is_deleted"),
    "int_order_items_enriched": ("order_item_id",),
    "int_customer_orders": ("customer_id",),
    "dim_customers": ("customer_id",),
    "dim_products": ("product_id",),
    "fct_orders": ("order_id",),
    "daily_sales_summary": ("order_date",),
    "daily_metrics": ("date", "product"),
    "weekly_metrics": ("week", "product"),
    "monthly_metrics": ("month", "product"),
    "customer_lifetime_value": ("user_id",),
    "monthly_sales": ("month",),
}
