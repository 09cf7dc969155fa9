"""`files/retail/order_items`: the lines of the retail chain's orders."""

from __future__ import annotations

from datetime import timedelta

from lakehouse_assets.contracts.retail.source import SOURCE
from lakehouse_assets.contracts.rules import at_least, between, refers_to
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import decimal, integer

TABLE = Table(
    source=SOURCE,
    name="order_items",
    description="One row per product of an order.",
    key=("order_item_id",),
    columns=(
        Column("order_item_id", integer, "The line's number, over all orders."),
        Column("order_id", integer, "The order that the line belongs to.", rules=(refers_to("orders"),)),
        Column("product_id", integer, "The product ordered.", rules=(refers_to("products"),)),
        Column("quantity", integer, "Pieces ordered.", rules=(at_least(1),)),
        Column("unit_price", decimal(10, 2), "Price of one piece as charged.", rules=(at_least(0),)),
        Column("discount", decimal(5, 4), "Share of the line taken off, from 0 to 1.", rules=(between(0, 1),)),
    ),
    sort_by=("order_item_id",),
    stale_after=timedelta(hours=26),
)
