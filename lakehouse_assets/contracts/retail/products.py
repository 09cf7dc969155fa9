"""`files/retail/products`: what the retail chain sells; the latest row of a product counts."""

from __future__ import annotations

from datetime import timedelta

from lakehouse_assets.contracts.retail.source import SOURCE
from lakehouse_assets.contracts.rules import at_least
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import decimal, integer, text

TABLE = Table(
    source=SOURCE,
    name="products",
    description="One row per product of the retail chain, with its list price and cost.",
    key=("product_id",),
    columns=(
        Column("product_id", integer, "The product's number."),
        Column("product_name", text, "Name on the receipt."),
        Column("category", text, "Group of goods that the product is counted in."),
        Column("price", decimal(10, 2), "List price of one piece.", rules=(at_least(0),)),
        Column("cost", decimal(10, 2), "What one piece costs the chain.", rules=(at_least(0),)),
    ),
    sort_by=("product_id",),
    stale_after=timedelta(hours=26),
)
