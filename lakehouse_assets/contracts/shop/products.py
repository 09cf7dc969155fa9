"""`shop.products`: what the web shop sells."""

from __future__ import annotations

from lakehouse_assets.contracts.rules import at_least, unique
from lakehouse_assets.contracts.shop.source import SOURCE
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import datetime, decimal, integer, timestamp, varchar

TABLE = Table(
    source=SOURCE,
    name="products",
    description="One row per product of the web shop, with its present price and stock.",
    key=("id",),
    columns=(
        Column("id", integer, "The product's number."),
        Column("sku", varchar(32), "Stock keeping unit printed on the label.", rules=(unique(),)),
        Column("name", varchar(200), "Name shown in the shop."),
        Column("category", varchar(50), "Shelf that the product is shown on."),
        Column("price", decimal(10, 2), "Present price of one piece.", rules=(at_least(0),)),
        Column("stock", integer, "Pieces at hand; below zero where more were sold than counted."),
        Column("created_at", datetime(0), "When the product was listed, on the shop's clock (UTC)."),
        Column("updated_at", timestamp(0), "When the shop last wrote the row."),
    ),
    sort_by=("id",),
)
