"""What a lakehouse on a real Kafka made of a live source, compared with the database."""

from __future__ import annotations

from lakehouse_assets.bronze.land import land
from lakehouse_assets.engines.platform import Platform
from tests import model
from tests.silver.lakes import current, fold

from .live_source import LiveSource


def all_told(lakehouse: Platform, source: LiveSource, counts: dict[str, int]) -> bool:
    increment(lakehouse, source)
    return all(len(current(lakehouse, table)) == counts[table.name] for table in source.tables)


def in_kafka(lakehouse: Platform, source: LiveSource) -> int:
    return sum(bounds.end for table in source.tables for bounds in lakehouse.log.bounds(table.topic).values())


def differences(lakehouse: Platform, source: LiveSource) -> list[str]:
    """After taking in everything that is there now."""
    increment(lakehouse, source)
    return [
        difference
        for table in source.tables
        for difference in model.compare(table.id, source.rows(table), current(lakehouse, table), table.key)
    ]


def increment(lakehouse: Platform, source: LiveSource) -> None:
    for table in source.tables:
        land(lakehouse, table)
        fold(lakehouse, table)
