"""What the shop's tables have in common: Debezium on MySQL, exact text decimals and ISO 8601 times."""

from __future__ import annotations

from lakehouse_assets.contracts.table import Source

SOURCE = Source(
    name="shop",
    kind="cdc",
    description="The web shop: users, products, orders and sessions, every committed change of the MySQL database.",
    owner="team:web-shop",
    topic="shop.shop.{table}",
    connector="mysql",
    database="shop",
    decimal="string",
    time="isostring",
)
