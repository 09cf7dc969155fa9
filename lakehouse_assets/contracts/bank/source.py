"""What the bank's tables have in common: Debezium on PostgreSQL, exact text decimals and ISO 8601 times."""

from __future__ import annotations

from lakehouse_assets.contracts.table import Source

SOURCE = Source(
    name="bank",
    kind="cdc",
    description="Core banking: users and their accounts, every committed change of the PostgreSQL database.",
    owner="team:core-banking",
    topic="bank.public.{table}",
    connector="postgresql",
    database="bank",
    schema="public",
    decimal="string",
    time="isostring",
)
