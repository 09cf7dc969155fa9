"""`shop.orders`: what was ordered at the web shop, one product an order."""

from __future__ import annotations

from lakehouse_assets.contracts.rules import at_least, one_of, refers_to
from lakehouse_assets.contracts.shop.source import SOURCE
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import datetime, decimal, integer, text, timestamp

STATUSES = ("pending", "paid", "shipped", "delivered", "cancelled", "returned")

TABLE = Table(
    source=SOURCE,
    name="orders",
    description="One row per order of the web shop, in its present status.",
    key=("id",),
    columns=(
        Column("id", integer, "The order's number."),
        Column("user_id", integer, "The user who ordered.", rules=(refers_to("users"),)),
        Column("product_id", integer, "The product ordered.", rules=(refers_to("products"),)),
        Column("quantity", integer, "Pieces ordered.", rules=(at_least(1),)),
        Column("unit_price", decimal(10, 2), "Price of one piece as agreed; below zero for corrections."),
        Column("total_amount", decimal(12, 2), "What the user pays, discounts included.", rules=(at_least(0),)),
        Column("status", text, "How far the order has come.", rules=(one_of(*STATUSES),)),
        Column("order_date", datetime(0), "When the order was placed, on the shop's clock (UTC)."),
        Column("updated_at", timestamp(0), "When the shop last wrote the row."),
    ),
    partition_by=(("month", "order_date"), ("identity", "status")),
    sort_by=("id",),
)
