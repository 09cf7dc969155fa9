"""What the lakehouse holds: every table with its size, its last snapshot and how its checks last ended.

Where it stops: it reads the catalog's metadata, ClickHouse's system tables and Dagster's records; no data file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from clickhouse_connect.driver.client import Client
from dagster import AssetCheckSeverity
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput

LAYERS = ("bronze", "silver", "raw_vault", "business_vault", "marts", "gold")

_GOLD = """
SELECT t.name, coalesce(t.total_rows, 0), countIf(p.name != ''), coalesce(t.total_bytes, 0), max(p.modification_time)
FROM system.tables AS t LEFT JOIN system.parts AS p ON p.database = t.database AND p.table = t.name AND p.active
WHERE t.database = 'gold' GROUP BY 1, 2, 4 ORDER BY 1
"""


class UnknownLayer(BadInput):
    """A layer that there is not; the message names the valid ones."""


@dataclass(frozen=True)
class Checks:
    """How many checks last ended so; `warned` failed without being errors."""

    passed: int = 0
    warned: int = 0
    failed: int = 0


@dataclass(frozen=True)
class TableFacts:
    """`files` are data files, or ClickHouse's parts; `changed_at` is the last snapshot's time in UTC. Gold has neither
    snapshots nor versions of its schema."""

    layer: str
    table: str
    rows: int
    files: int
    bytes: int
    changed_at: datetime | None
    checks: Checks
    snapshots: int = 0
    schema_version: int = 0


def overview(platform: Platform, checks: Mapping[str, Checks], layer: str | None = None) -> list[TableFacts]:
    """The tables of all layers, or of one, in the order of the flow. Raises UnknownLayer."""
    if layer is not None and layer not in LAYERS:
        raise UnknownLayer(f"no layer {layer!r}; there are {', '.join(LAYERS)}")
    catalog = platform.open_catalog()
    held = {space[0] for space in catalog.list_namespaces()}
    wanted = [name for name in LAYERS if name == (layer or name)]
    found = [facts for name in wanted if name in held for facts in _iceberg(catalog, name, checks)]
    # Gold is made from marts: without them ClickHouse need not be started to be asked.
    return [*found, *_gold(platform.open_clickhouse(), checks)] if "gold" in wanted and "marts" in held else found


def latest_checks(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> dict[str, Checks]:
    """By table (`silver.bank_users`), over the checks that were ever evaluated."""
    counts: dict[str, list[int]] = {}
    for key, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys)).items():
        event = record.event.dagster_event if record.event is not None else None
        if event is None or event.event_type_value != "ASSET_CHECK_EVALUATION":
            continue
        ended = event.asset_check_evaluation_data
        place = 0 if ended.passed else 1 if ended.severity == AssetCheckSeverity.WARN else 2
        counts.setdefault(".".join(key.asset_key.path), [0, 0, 0])[place] += 1
    return {table: Checks(*count) for table, count in counts.items()}


def _iceberg(catalog: Catalog, layer: str, checks: Mapping[str, Checks]) -> Iterator[TableFacts]:
    for identifier in sorted(catalog.list_tables(layer)):
        name = identifier[-1]
        yield _facts(layer, name, catalog.load_table(identifier), checks.get(f"{layer}.{name}", Checks()))


def _facts(layer: str, name: str, table: Table, checks: Checks) -> TableFacts:
    snapshot, version = table.current_snapshot(), table.schema().schema_id
    if snapshot is None:
        return TableFacts(layer, name, 0, 0, 0, None, checks, 0, version)
    summary = snapshot.summary.additional_properties if snapshot.summary is not None else {}
    rows, files, size = (int(summary.get(f"total-{k}", "0")) for k in ("records", "data-files", "files-size"))
    at = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
    return TableFacts(layer, name, rows, files, size, at, checks, len(table.metadata.snapshots), version)


def _gold(client: Client, checks: Mapping[str, Checks]) -> Iterator[TableFacts]:
    for name, rows, parts, size, changed_at in client.query(_GOLD).result_rows:
        at = changed_at.replace(tzinfo=UTC) if parts else None
        yield TableFacts("gold", name, rows, parts, size, at, checks.get(f"gold.{name}", Checks()))
