"""`shop.users`: who has registered at the web shop."""

from __future__ import annotations

from lakehouse_assets.contracts.rules import unique
from lakehouse_assets.contracts.shop.source import SOURCE
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import boolean, date, datetime, integer, timestamp, varchar

TABLE = Table(
    source=SOURCE,
    name="users",
    description="One row per registered user of the web shop.",
    key=("id",),
    columns=(
        Column("id", integer, "The user's number."),
        Column("username", varchar(50), "Name the user signs in with.", rules=(unique(),)),
        Column("email", varchar(100), "Address that order confirmations go to.", pii=True),
        Column("full_name", varchar(100), "Name for the address label, in any script.", pii=True),
        Column("country", varchar(50), "Country that the user orders from."),
        Column("birth_date", date, "Date of birth where the user gave one.", nullable=True, pii=True),
        Column("is_active", boolean, "Whether the user can sign in."),
        Column("created_at", datetime(0), "When the user registered, on the shop's clock (UTC)."),
        Column("updated_at", timestamp(0), "When the shop last wrote the row."),
    ),
    partition_by=(("month", "created_at"), ("identity", "country")),
    sort_by=("id",),
)
