"""Materializes a selection in this process: the increment, then the days that it touched.

Date-grained marts and gold lie below assets by day, so that Dagster wants a key for them: the increment runs the rest
without one, and then each stretch of neighbouring days that some mart has yet to build.
Where it stops: a rebuild of days is `rebuild.py`'s, what an asset does its layer's, how progress looks the command
line's.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterInvalidSubsetError
from dagster._core.execution.plan.objects import StepFailureData

from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.gold.assets import unpublished
from lakehouse_assets.mendable import BadInput
from lakehouse_assets.operations.broken_off import running, settle
from lakehouse_assets.operations.news import with_news
from lakehouse_assets.operations.outside import line
from lakehouse_assets.vault.days import daily_marts, stale_days

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

JOB = "lakehouse/job"
"""The tag of every run that this project starts: which job it is, or that assets are materialized."""

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster's own lines would break the progress display; every event is in the instance."""

Listener = Callable[[dg.DagsterEvent], None]
Stretch = tuple[date, date]


class UnknownSelection(BadInput):
    """A selection that names no asset; the message names the layers and says where the assets are listed."""


@dataclass(frozen=True)
class Outcome:
    """What the runs did; `failed` are asset keys or steps, `failed_checks` of error severity.

    `stopped` are assets that were not built, or whose blocking checks failed.
    """

    success: bool = True
    runs: tuple[str, ...] = ()
    steps: int = 0
    failed: tuple[str, ...] = ()
    failed_checks: tuple[str, ...] = ()
    days: tuple[Stretch, ...] = ()
    unchanged: int = 0
    stopped: frozenset[dg.AssetKey] = frozenset()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.success and other.success,
            self.runs + other.runs,
            self.steps + other.steps,
            self.failed + other.failed,
            self.failed_checks + other.failed_checks,
            self.days + other.days,
            self.unchanged + other.unchanged,
            self.stopped | other.stopped,
        )


def increment(
    definitions: dg.Definitions,
    platform: Platform,
    instance: dg.DagsterInstance,
    selection: str,
    listen: Listener = lambda _: None,
    planned: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Folds what is new in the selection, then refreshes the touched days of its date-grained assets."""
    chosen = select(definitions, selection)
    settle(instance, platform.home)
    daily = below_days(definitions) & chosen
    news = with_news(definitions, platform, chosen)
    outcome = run_assets(definitions, platform, instance, news - daily, None, listen, planned)
    # What failed stops what is below it, and nothing else: the days of other sources are built.
    for keys, stretch in touched(platform, daily - below(definitions, outcome.stopped)):
        outcome += run_assets(definitions, platform, instance, keys, stretch, listen, planned)
    return outcome


def select(definitions: dg.Definitions, selection: str) -> set[dg.AssetKey]:
    """The materializable assets of a selection in Dagster's words. Raises UnknownSelection."""
    graph = definitions.resolve_asset_graph()
    try:
        keys = dg.AssetSelection.from_string(selection).resolve(graph) & graph.materializable_asset_keys
    except DagsterInvalidSubsetError:  # a name in it is no asset's
        keys = set()
    except Exception as error:
        raise UnknownSelection(f"{selection!r} is no selection: {error}") from error
    if not keys:
        groups = sorted({g for k in graph.materializable_asset_keys if (g := graph.get(k).group_name)})
        raise UnknownSelection(
            f"{selection!r} names no asset; try '*', an asset such as 'silver/bank_users', or a layer:"
            f" {', '.join(f'group:{g}' for g in groups)}"
        )
    return set(keys)


def below_days(definitions: dg.Definitions) -> set[dg.AssetKey]:
    """The date-grained marts and what lies below them by day: what only runs with a key."""
    graph = definitions.resolve_asset_graph()
    marts = {dg.AssetKey(m.identifier.split(".")) for m in daily_marts()}
    return marts | {c for m in marts for c in graph.get(m).child_keys if graph.get(c).partitions_def is not None}


def touched(platform: Platform, daily: Collection[dg.AssetKey]) -> Iterator[tuple[set[dg.AssetKey], Stretch]]:
    """The date-grained assets to run and the days to run them for; marts that await the same days run together.

    A mart that was never built is built in one stretch: a day without rows costs nothing. Gold that missed its mart's
    last version publishes it whatever the day.
    """
    awaited: dict[frozenset[date], set[dg.AssetKey]] = {}
    for mart in daily_marts():
        keys = {k for k in daily if k.path[-1] == mart.name}
        days = stale_days(platform, mart.name) if keys else set()
        if days and load(platform.open_catalog(), mart.identifier) is None:
            days = {min(days) + timedelta(days=n) for n in range((max(days) - min(days)).days + 1)}
        if days:
            awaited.setdefault(frozenset(days), set()).update(keys)
    unseen = {dg.AssetKey(["gold", m.name]) for m in unpublished(platform)} & set(daily) - set().union(
        *awaited.values()
    )
    if unseen:
        awaited[frozenset({datetime.now(UTC).date()})] = unseen
    for together, keys in awaited.items():
        for stretch in stretches(together):
            yield keys, stretch


def stretches(days: Iterable[date]) -> list[Stretch]:
    """Days as the shortest list of ranges of neighbouring days."""
    found: list[Stretch] = []
    for day in sorted(set(days)):
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def stretch_tags(stretch: Stretch) -> dict[str, str]:
    """The run tags by which Dagster takes a range of days as one run."""
    return {RANGE_START: stretch[0].isoformat(), RANGE_END: stretch[1].isoformat()}


def reason(failure: StepFailureData) -> str:
    """Why a step failed, in the words of who raised it, without Dagster's own around them."""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    return line((error.cause or error).message) if error is not None else "failed"


def below(definitions: dg.Definitions, keys: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
    """The assets and all that depends on them."""
    selection = dg.AssetSelection.assets(*keys).downstream()
    return set(selection.resolve(definitions.resolve_asset_graph())) if keys else set()


def run_assets(
    definitions: dg.Definitions,
    platform: Platform,
    instance: dg.DagsterInstance,
    keys: set[dg.AssetKey],
    stretch: Stretch | None,
    listen: Listener,
    planned: Callable[[int], None],
) -> Outcome:
    """One run of these assets, for these days or for what is new; no run of none."""
    if not keys:
        return Outcome()
    job = definitions.resolve_implicit_global_asset_job_def()
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, lambda entry: _told(entry, listen))
    planned(len(keys))
    with running(platform.home, run_id):
        result = job.execute_in_process(
            instance=instance,
            asset_selection=sorted(keys),
            run_id=run_id,
            raise_on_error=False,
            run_config=_QUIET,
            tags={JOB: "materialize", **(stretch_tags(stretch) if stretch else {})},
        )
    events = result.all_events
    if any(_is_interrupted(e) for e in events):
        raise KeyboardInterrupt
    return Outcome(
        success=result.success,
        runs=(run_id,),
        steps=len([e for e in events if e.is_step_success]),
        failed=tuple(dict.fromkeys(e.step_key or "run" for e in events if e.is_step_failure)),
        failed_checks=tuple(f"{c.asset_key.to_user_string()}: {c.check_name}" for c in _failing(events)),
        days=(stretch,) if stretch else (),
        unchanged=sum(1 for e in events if is_unchanged(e)),
        stopped=frozenset((keys - _built(events)) | {c.asset_key for c in _failing(events) if c.blocking}),
    )


def _is_interrupted(event: dg.DagsterEvent) -> bool:
    """Dagster takes Ctrl-C for a failure of the step that it met."""
    error = event.step_failure_data.error if event.is_step_failure else None
    return error is not None and error.cls_name == DagsterExecutionInterruptedError.__name__


def _told(entry: dg.EventLogEntry, listen: Listener) -> None:
    if entry.dagster_event is not None:
        listen(entry.dagster_event)


def _built(events: Iterable[dg.DagsterEvent]) -> set[dg.AssetKey]:
    return {e.asset_key for e in events if e.is_step_materialization and e.asset_key is not None}


def _failing(events: Iterable[dg.DagsterEvent]) -> Iterator[AssetCheckEvaluation]:
    for event in events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            result = event.asset_check_evaluation_data
            if not result.passed and result.severity == dg.AssetCheckSeverity.ERROR:
                yield result


def is_unchanged(event: dg.DagsterEvent) -> bool:
    """Whether it tells of an asset that looked and had nothing to do."""
    if not event.is_step_materialization:
        return False
    flag = event.step_materialization_data.materialization.metadata.get("unchanged")
    return flag is not None and bool(flag.value)
