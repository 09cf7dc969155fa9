"""`shop.user_sessions`: visits of signed-in users of the web shop."""

from __future__ import annotations

from lakehouse_assets.contracts.rules import one_of, refers_to
from lakehouse_assets.contracts.shop.source import SOURCE
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import bigint, boolean, datetime, integer, text, varchar

TABLE = Table(
    source=SOURCE,
    name="user_sessions",
    description="One row per session of a signed-in user; old sessions are deleted in bulk.",
    key=("id",),
    columns=(
        Column("id", bigint, "The session's number."),
        Column("user_id", integer, "The user whose session it is.", rules=(refers_to("users"),)),
        Column(
            "device",
            text,
            "What the user came with: web, mobile or tablet.",
            rules=(one_of("web", "mobile", "tablet"),),
        ),
        Column("ip_address", varchar(45), "IPv4 or IPv6 address of the first request.", nullable=True, pii=True),
        Column("started_at", datetime(0), "When the session began, on the shop's clock (UTC)."),
        Column("last_activity", datetime(3), "When the last request came, to the millisecond, on the same clock."),
        Column("is_active", boolean, "Whether the session is still open."),
    ),
    partition_by=(("day", "started_at"),),
    sort_by=("id",),
)
