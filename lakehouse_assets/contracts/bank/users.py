"""`bank.public.users`: who holds accounts at the bank (REPLICA IDENTITY DEFAULT: a delete shows only its key)."""

from __future__ import annotations

from lakehouse_assets.contracts.bank.source import SOURCE
from lakehouse_assets.contracts.rules import unique
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import text, timestamptz, uuid

TABLE = Table(
    source=SOURCE,
    name="users",
    description="One row per person who holds, or may open, an account at the bank.",
    key=("id",),
    columns=(
        Column("id", uuid, "The user's identifier, given by the bank; it may be replaced when records are merged."),
        Column("email", text, "Address the user signs in with.", rules=(unique(),), pii=True),
        Column("name", text, "Full name as the user wrote it, in any script.", pii=True),
        Column("notes", text, "Free remarks of the staff; large texts are stored out of line.", nullable=True),
        Column("created_at", timestamptz(6), "When the user was registered; may lie before 1970 for imported records."),
        Column("updated_at", timestamptz(6), "When the bank's application last wrote the row."),
    ),
    sort_by=("id",),
)
