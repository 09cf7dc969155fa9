"""`user-events`: sign-ins, clicks, purchases and sign-outs."""

from __future__ import annotations

from datetime import timedelta

from lakehouse_assets.contracts.clickstream.source import SOURCE
from lakehouse_assets.contracts.rules import at_least, one_of, starts_with
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import bigint, text, timestamptz

TABLE = Table(
    source=SOURCE,
    name="user_events",
    description="One row per thing a visitor did; an event that was sent twice counts once.",
    key=("event_id",),
    columns=(
        Column("event_id", text, "The event's identifier, given by the sender; the same when it is sent again."),
        Column("user_id", bigint, "The visitor's number.", rules=(at_least(1),)),
        Column(
            "event_type",
            text,
            "What was done: login, click, purchase or logout.",
            rules=(one_of("login", "click", "purchase", "logout"),),
        ),
        Column("page", text, "Path of the page where it was done.", rules=(starts_with("/"),)),
        Column("timestamp", timestamptz(6), "When it was done, by the sender's clock."),
        Column("source", text, "Where it was done: web or mobile.", rules=(one_of("web", "mobile"),)),
    ),
    event_time="timestamp",
    sort_by=("event_id",),
    stale_after=timedelta(minutes=5),
)
