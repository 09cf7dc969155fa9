"""Whether days of assets can be rebuilt: what they are made of must not be past its retention.

Where it stops: retention is `retention.py`'s, and what a rollback took is refused by silver itself.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from lakehouse_assets.asset_facts import asset_key
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, marks
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import rebuild, schema
from lakehouse_assets.silver.rebuild import CannotRebuild
from lakehouse_assets.vault.days import daily_marts


def require_days(platform: Platform, by_day: Collection[dg.AssetKey], first: date) -> None:
    """Raises CannotRebuild, which names the oldest day that can be, where an asset's day `first` cannot."""
    for table in tables():
        if table.source.kind != "files" and asset_key(schema.folded_name(table)) in by_day:
            rebuild.require_days(platform, table, first)
    for mart in daily_marts():
        if asset_key(mart.identifier) in by_day:
            for parent in mart.parents:
                _require_parent(platform, mart.identifier, parent, first)


def _require_parent(platform: Platform, mart: str, parent: str, first: date) -> None:
    """A mart keeps its days for longer than silver: a day of it that silver dropped would be rebuilt empty."""
    held = load(platform.open_catalog(), parent)
    dropped = marks(held).get(DROPPED_THROUGH) if held is not None else None
    if dropped is not None and first <= date.fromisoformat(dropped):
        raise CannotRebuild(
            f"{mart}: day {first} is not rebuilt, because retention dropped the days up to {dropped} of {parent}; the"
            f" oldest day that can be rebuilt is {date.fromisoformat(dropped) + timedelta(days=1)}"
        )
