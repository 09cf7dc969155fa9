"""What Prometheus is told: sizes, rows, snapshots, cost, lag, what was refused, checks, runs and their writes.

Measuring takes seconds and happens beside the scrapes: a scrape renders the last measurement and opens nothing. Runs
are counted from the exporter's start on, as Prometheus expects of counters. Names of storage are the requirements'.
Where it stops: ClickHouse, MinIO and Kafka tell of themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakehouse_assets.bronze.dead_letters import open_count
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.freshness import Lag, lags
from lakehouse_assets.operations.overview import TableFacts, latest_checks, overview
from lakehouse_assets.silver import rejects

GB = 10**9
_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 300, 1800)
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_LATE = timedelta(hours=1)
"""A run may be told to have ended so long after it was looked for."""

_LAYERS = {"land": "bronze", "refine": "silver", "vault": "vault", "daily": "marts", "publish": "gold"}
"""By the first word of a step."""

_TABLE = ("layer", "table")


class Metrics(Collector):
    """The last measurement, and counts of the runs that ended since `since`; `price` is that of a GB for a month."""

    def __init__(
        self,
        platform: Platform,
        instance: dg.DagsterInstance,
        checks: Sequence[dg.AssetCheckKey],
        price: float = 0.0,
        since: datetime | None = None,
    ) -> None:
        self.platform, self.instance, self.checks, self.price = platform, instance, checks, price
        self.since = since or datetime.now(UTC)
        self.registry = CollectorRegistry()
        self._measured: list[Metric] = []
        self._seen: set[str] = set()
        self._runs = Counter("lakehouse_runs", "Runs that ended.", ["job", "status"], registry=self.registry)
        self._run_seconds = Histogram(
            "lakehouse_run_duration_seconds", "Of runs.", ["job"], registry=self.registry, buckets=_SECONDS
        )
        self._writes = Histogram(
            "storage_write_duration_seconds",
            "Of the steps that write.",
            ["layer", "operation"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.registry.register(self)

    def collect(self) -> Iterable[Metric]:
        return self._measured

    def measure(self) -> None:
        """Takes a new measurement; the old one stays where this raises."""
        begun = time.monotonic()
        self._count_runs()
        found = overview(self.platform, latest_checks(self.instance, self.checks))
        measured = [*_storage(found, self.price), *_checks(found), *_tables(self.platform), *_queue(self.instance)]
        took = GaugeMetricFamily("lakehouse_measurement_duration_seconds", "Of this measurement.")
        took.add_metric([], time.monotonic() - begun)
        at = GaugeMetricFamily("lakehouse_measured_timestamp_seconds", "When it was made.")
        at.add_metric([], time.time())
        self._measured = [*measured, took, at]

    def _count_runs(self) -> None:
        """Each run once: one that was updated again after it was counted is known by its id."""
        now = datetime.now(UTC)
        ended = self.instance.get_run_records(dg.RunsFilter(statuses=_ENDED, updated_after=self.since))
        for record in ended:
            run = record.dagster_run
            if run.run_id in self._seen:
                continue
            self._seen.add(run.run_id)
            job = run.tags.get("lakehouse/job", run.job_name)
            self._runs.labels(job, run.status.value.lower()).inc()
            if record.start_time and record.end_time:
                self._run_seconds.labels(job).observe(record.end_time - record.start_time)
            for step in self.instance.get_run_step_stats(run.run_id):
                operation = step.step_key.partition("_")[0]
                if operation in _LAYERS and step.start_time and step.end_time:
                    self._writes.labels(_LAYERS[operation], operation).observe(step.end_time - step.start_time)
        self.since = max(self.since, now - _LATE)


def _storage(found: Sequence[TableFacts], price: float) -> Iterator[Metric]:
    for name, said, fact in (
        ("storage_table_size_bytes", "Data files of the present snapshot.", "bytes"),
        ("storage_table_rows_count", "Rows of the present snapshot.", "rows"),
        ("storage_table_files_count", "Data files, or ClickHouse's parts.", "files"),
        ("storage_snapshot_count", "Snapshots that have not expired.", "snapshots"),
        ("storage_schema_version", "Number of the table's schema.", "schema_version"),
    ):
        yield _gauge(name, said, _TABLE, (((t.layer, t.table), getattr(t, fact)) for t in found))
    costs: dict[tuple[str, ...], float] = {}
    for each in found:
        costs[each.layer,] = costs.get((each.layer,), 0.0) + each.bytes / GB * price
    yield _gauge("storage_cost_per_month", "Of present snapshots, by the price of a GB.", ("layer",), costs.items())


def _checks(found: Sequence[TableFacts]) -> Iterator[Metric]:
    ends = ("passed", "warned", "failed")
    counts = (((t.layer, t.table, end), getattr(t.checks, end)) for t in found for end in ends)
    yield _gauge("lakehouse_checks_count", "How the checks of a table last ended.", (*_TABLE, "result"), counts)


def _tables(platform: Platform) -> Iterator[Metric]:
    """Of source tables. What cannot be read has no value, and is counted as a problem."""
    found = lags(platform, tables())
    known = {table: lag for table, lag in found.items() if lag.problem is None}
    yield _lag("lakehouse_lag_messages", "Messages, or files, that wait to be landed.", known, lambda lag: lag.waiting)
    yield _lag("lakehouse_lag_seconds", "Since when a table is not fresh.", known, lambda lag: lag.seconds or 0.0)
    yield _lag("lakehouse_connector_stalled", "1: its heartbeats are missing.", known, lambda lag: float(lag.stalled))
    limits = (((t.id,), t.stale_after.total_seconds()) for t in tables())
    yield _gauge("lakehouse_stale_after_seconds", "From which lag on a table is stale.", ("table",), limits)
    yield _lag("lakehouse_source_unreadable", "1: it cannot be read.", found, lambda lag: float(bool(lag.problem)))
    catalog = platform.open_catalog()
    bronze = {t.id: load(catalog, spec(t).identifier) for t in tables()}
    dead = (((name,), open_count(handle)) for name, handle in bronze.items() if handle is not None)
    yield _gauge("lakehouse_dead_letters_count", "Neither replayed nor discarded.", ("table",), dead)
    refused = (((t.id,), rejects.decided(catalog, t).open) for t in tables())
    yield _gauge("lakehouse_rejects_count", "Rows that wait for a decision.", ("table",), refused)


def _queue(instance: dg.DagsterInstance) -> Iterator[Metric]:
    waiting = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED]
    counts = (((s.value.lower(),), instance.get_runs_count(dg.RunsFilter(statuses=[s]))) for s in waiting)
    yield _gauge("lakehouse_runs_count", "Runs that have not ended.", ("status",), counts)
    ages = []
    for state in instance.all_instigator_state() if instance.schedule_storage else ():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1) if state.is_running else []
        labels = (state.instigator_name, state.instigator_type.value.lower())
        ages += [(labels, max(0.0, time.time() - tick.timestamp)) for tick in ticks]
    said = "Since a running sensor or schedule last ticked."
    yield _gauge("lakehouse_tick_age_seconds", said, ("name", "kind"), ages)


def _lag(name: str, said: str, found: dict[str, Lag], of: Callable[[Lag], float]) -> Metric:
    return _gauge(name, said, ("table",), (((table,), of(lag)) for table, lag in found.items()))


def _gauge(
    name: str, said: str, labels: Sequence[str], values: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, said, labels=labels)
    for told, value in values:
        family.add_metric(told, value)
    return family
