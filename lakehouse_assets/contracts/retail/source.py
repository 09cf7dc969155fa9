"""What the retail tables have in common: CSV files with a header line, dropped into `files/retail/<table>/`."""

from __future__ import annotations

from lakehouse_assets.contracts.table import Source

SOURCE = Source(
    name="retail",
    kind="files",
    description="The retail chain's exports: full rows, new and changed, in files that arrive about once a day.",
    owner="team:retail-operations",
    topic="files/retail/{table}",
)
