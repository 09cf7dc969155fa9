"""`files/retail/customers`: the retail chain's customers; the latest row of a customer counts."""

from __future__ import annotations

from datetime import timedelta

from lakehouse_assets.contracts.retail.source import SOURCE
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import date, integer, text

TABLE = Table(
    source=SOURCE,
    name="customers",
    description="One row per customer of the retail chain.",
    key=("customer_id",),
    columns=(
        Column("customer_id", integer, "The customer's number."),
        Column("first_name", text, "Given name, in any script.", pii=True),
        Column("last_name", text, "Family name, in any script.", pii=True),
        Column("email", text, "Address for receipts.", pii=True),
        Column("country", text, "Country that the customer lives in."),
        Column("signup_date", date, "Day on which the customer joined."),
    ),
    sort_by=("customer_id",),
    stale_after=timedelta(hours=26),
)
