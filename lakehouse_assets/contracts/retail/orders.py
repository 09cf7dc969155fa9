"""`files/retail/orders`: the retail chain's orders; an order comes again whenever its status has changed."""

from __future__ import annotations

from datetime import timedelta

from lakehouse_assets.contracts.retail.source import SOURCE
from lakehouse_assets.contracts.rules import at_least, one_of, refers_to
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import date, decimal, integer, text

STATUSES = ("placed", "shipped", "completed", "returned", "cancelled")

TABLE = Table(
    source=SOURCE,
    name="orders",
    description="One row per order of the retail chain, in its present status.",
    key=("order_id",),
    columns=(
        Column("order_id", integer, "The order's number."),
        Column("customer_id", integer, "The customer who ordered.", rules=(refers_to("customers"),)),
        Column("order_date", date, "Day on which the order was placed."),
        Column("status", text, "How far the order has come.", rules=(one_of(*STATUSES),)),
        Column("payment_method", text, "How the customer pays, in the till's words."),
        Column("shipping_cost", decimal(10, 2), "What the customer pays for delivery.", rules=(at_least(0),)),
    ),
    partition_by=(("month", "order_date"),),
    sort_by=("order_id",),
    stale_after=timedelta(hours=26),
)
