"""What a profile must supply: one frozen value that every layer is handed.

Where it stops: it opens nothing by itself; the catalog and ClickHouse are opened by whoever first asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client
from pyiceberg.catalog import Catalog

from lakehouse_assets.engines.log.log import EventLog
from lakehouse_assets.engines.probe import Probe


@dataclass(frozen=True)
class Platform:
    """`batch_messages` bounds what one bronze commit holds; `memory_limit` is DuckDB's, e.g. `1GB`; `let_floods_in` are
    ids of tables whose batches are taken however many of their messages are refused. `probes` is what must be true of
    its services; a run waits `patience_seconds` for one that does not answer."""

    name: str
    home: Path
    log: EventLog
    open_catalog: Callable[[], Catalog]
    open_clickhouse: Callable[[], Client]
    dbt_target: str
    batch_messages: int = 100_000
    memory_limit: str = "1GB"
    let_floods_in: frozenset[str] = frozenset()
    probes: tuple[Probe, ...] = ()
    patience_seconds: float = 0.0
