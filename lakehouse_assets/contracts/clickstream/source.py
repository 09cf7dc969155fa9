"""What the clickstream's tables have in common: JSON events, 3 partitions by user, kept 24 hours in the log."""

from __future__ import annotations

from lakehouse_assets.contracts.table import Source

SOURCE = Source(
    name="clickstream",
    kind="events",
    description="What visitors do on the site and in the app, as events in the order of each user.",
    owner="team:web-analytics",
    topic="user-events",
)
