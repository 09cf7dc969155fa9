"""How far a bronze table is behind its source, in messages and in seconds, and since when it is not fresh.

A table is fresh as of the last moment when it held all that its source had told, while the connector lived. Dagster's
own freshness policies look at when an asset was last materialized: a rebuild of an old day would pass for news, and a
source that has nothing to tell for stale.
Where it stops: silver and what is below it follow in the run that lands; whether they did, their own checks tell.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.assets import source_key
from lakehouse_assets.bronze.deliveries import deliveries, name
from lakehouse_assets.bronze.land import Landing, starts, state
from lakehouse_assets.bronze.land_files import unlanded
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Source, Table
from lakehouse_assets.engines.connect.configuration import HEARTBEAT_SECONDS
from lakehouse_assets.engines.connect.names import heartbeat_topic
from lakehouse_assets.engines.iceberg.scan import sequence_of
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.log.sent import first_sent, last_sent
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.outside import line

FRESH = "table_is_fresh"
MISSED_HEARTBEATS = 3


@dataclass(frozen=True)
class Lag:
    """What was seen `at` a moment: how many messages (or files) wait and when the oldest of them was sent.

    `heard` is the connector's last heartbeat, None where none was ever told. `state` stands for what table and source
    hold.
    `problem` says why the source could not be read; then nothing else is known.
    """

    at: datetime
    waiting: int = 0
    oldest: datetime | None = None
    heard: datetime | None = None
    state: str = ""
    problem: str | None = None

    @property
    def stalled(self) -> bool:
        """Whether the connector has missed so many heartbeats that it counts as dead."""
        silence = timedelta(seconds=HEARTBEAT_SECONDS * MISSED_HEARTBEATS)
        return self.heard is not None and self.at - self.heard > silence

    @property
    def fresh_as_of(self) -> datetime | None:
        """None where it is not known."""
        if self.problem is not None:
            return None
        moments = [self.oldest, self.heard if self.stalled else None]
        return min((m for m in moments if m is not None), default=self.at)

    @property
    def seconds(self) -> float | None:
        since = self.fresh_as_of
        return None if since is None else max(0.0, (self.at - since).total_seconds())

    def is_fresh(self, table: Table) -> bool:
        return self.seconds is not None and self.seconds <= table.stale_after.total_seconds()


def lags(platform: Platform, of: Collection[Table], now: datetime | None = None) -> dict[str, Lag]:
    """By the table's id; what cannot be read is a `problem` of its own lag."""
    at = now or datetime.now(UTC)
    heard = {source: _heard(platform, source) for source in {table.source for table in of}}
    return {table.id: _lag(platform, table, at, heard[table.source]) for table in of}


def _lag(platform: Platform, table: Table, at: datetime, heard: datetime | None) -> Lag:
    try:
        return _of_files(platform, table, at) if table.source.kind == "files" else _of_topic(platform, table, at, heard)
    except Exception as error:  # a daemon looks: whatever cannot be read today may be tomorrow
        return Lag(at, problem=line(str(error)))


def _of_topic(platform: Platform, table: Table, at: datetime, heard: datetime | None) -> Lag:
    handle = load(platform.open_catalog(), spec(table).identifier)
    bounds = platform.log.bounds(table.topic)
    known = state(handle) if handle is not None else Landing()
    begins = starts(table, platform.log.identity(table.topic), known, bounds)
    waiting = sum(held.end - begins[partition] for partition, held in bounds.items())
    oldest = first_sent(platform.log, table.topic, begins, bounds) if waiting else None
    return Lag(at, waiting, oldest, heard, _state(handle, {p: held.end for p, held in bounds.items()}))


def _of_files(platform: Platform, table: Table, at: datetime) -> Lag:
    waiting = unlanded(platform, table)
    there = [(name(file), file.size, file.mtime_ns) for file in deliveries(platform, table)]
    handle = load(platform.open_catalog(), spec(table).identifier)
    oldest = min((file.mtime for file in waiting), default=None)
    return Lag(at, len(waiting), oldest, state=_state(handle, there))


def _heard(platform: Platform, source: Source) -> datetime | None:
    """The last heartbeat; None for a source without a connector, or whose connector never told one."""
    if source.kind != "cdc":
        return None
    try:
        topic = heartbeat_topic(source)
        return last_sent(platform.log, topic, platform.log.bounds(topic))
    except Exception:  # each table of the source then tells what is wrong with the log
        return None


def _state(handle: IcebergTable | None, source_end: object) -> str:
    held = None if handle is None else sequence_of(handle)
    return hashlib.sha256(json.dumps([held, source_end]).encode()).hexdigest()[:16]


def fresh_checks(platform: Platform) -> dg.AssetChecksDefinition:
    """A check per source table, on what lies outside: no run of a day touches it."""
    specs = [
        dg.AssetCheckSpec(
            FRESH,
            asset=source_key(t),
            description=f"All that the source told is landed, or has waited {t.stale_after} at most.",
        )
        for t in tables()
    ]

    @dg.multi_asset_check(name="check_freshness", specs=specs, can_subset=True)
    def check_freshness(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        selected = {key.asset_key for key in context.selected_asset_check_keys}
        wanted = [table for table in tables() if source_key(table) in selected]
        found = lags(platform, wanted)
        yield from (_verdict(table, found[table.id]) for table in wanted)

    return check_freshness


def evaluation(table: Table, lag: Lag) -> dg.AssetCheckEvaluation:
    """The same check as it is told outside of a run."""
    found = _verdict(table, lag)
    return dg.AssetCheckEvaluation(
        asset_key=source_key(table),
        check_name=FRESH,
        passed=found.passed,
        severity=found.severity,
        metadata=found.metadata,
    )


def _verdict(table: Table, lag: Lag) -> dg.AssetCheckResult:
    told = {
        "lag_files" if table.source.kind == "files" else "lag_messages": lag.waiting,
        "lag_seconds": lag.seconds,
        "fresh_as_of": lag.fresh_as_of and dg.MetadataValue.timestamp(lag.fresh_as_of),
        "connector_heard_at": lag.heard and dg.MetadataValue.timestamp(lag.heard),
        "problem": lag.problem,
    }
    return dg.AssetCheckResult(
        passed=lag.is_fresh(table),
        asset_key=source_key(table),
        check_name=FRESH,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={key: value for key, value in told.items() if value is not None},
    )
