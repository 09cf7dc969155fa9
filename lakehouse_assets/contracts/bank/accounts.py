"""`bank.public.accounts`: the accounts and their balances (REPLICA IDENTITY FULL: a delete shows the whole row)."""

from __future__ import annotations

from lakehouse_assets.contracts.bank.source import SOURCE
from lakehouse_assets.contracts.rules import one_of, refers_to
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import char, decimal, text, timestamptz, uuid

TABLE = Table(
    source=SOURCE,
    name="accounts",
    description="One row per account, with its balance as of the last booking.",
    key=("id",),
    columns=(
        Column("id", uuid, "The account's identifier."),
        Column("user_id", uuid, "The user who holds the account.", rules=(refers_to("users"),)),
        Column(
            "account_type",
            text,
            "What kind of account it is: checking, savings or credit.",
            rules=(one_of("checking", "savings", "credit"),),
        ),
        Column("currency", char(3), "ISO 4217 code of the currency that the balance is in."),
        Column("balance", decimal(15, 2), "Balance in that currency; below zero where the account is overdrawn."),
        Column(
            "status",
            text,
            "Whether bookings are allowed: active, frozen or closed.",
            rules=(one_of("active", "frozen", "closed"),),
        ),
        Column("created_at", timestamptz(6), "When the account was opened."),
        Column("updated_at", timestamptz(6), "When the bank's application last wrote the row."),
    ),
    sort_by=("id",),
)
