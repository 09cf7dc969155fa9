"""A sensor per source: asks for a run of the increment where its tables have news, and tells how fresh they are.

While a run of the source goes on, nothing is asked for. What a run has taken of the same state of table and source is
not asked for again; what failed is tried again, after longer and longer pauses. The run key is that state with the
number of the attempt. A verdict on freshness is told when it changes, not at every tick.
Where it stops: it looks at the log's bounds and the catalog; what is new is taken by the run.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from lakehouse_assets.contracts.registry import sources, tables
from lakehouse_assets.contracts.table import Source, Table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.broken_off import settle
from lakehouse_assets.operations.freshness import Lag, evaluation, lags
from lakehouse_assets.operations.news import unfolded

SOURCE, STATE = "lakehouse/source", "lakehouse/state"
LONGEST_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True)
class Attempts:
    """The runs that were asked for in the same state; `ended` is when the last one did, in seconds."""

    made: int = 0
    succeeded: bool = False
    ended: float = 0.0


def source_sensors(platform: Platform, job: dg.JobDefinition) -> list[dg.SensorDefinition]:
    """One for each source; stopped until somebody starts them, unless the settings say otherwise."""
    return [_sensor(platform, job, s, [t for t in tables() if t.source is s]) for s in sources()]


def _sensor(platform: Platform, job: dg.JobDefinition, source: Source, of: Sequence[Table]) -> dg.SensorDefinition:
    automation = platform.automation
    interval = automation.events_interval_seconds if source.kind == "events" else automation.interval_seconds

    @dg.sensor(
        name=f"{source.name}_has_news",
        job=job,
        minimum_interval_seconds=interval,
        default_status=dg.DefaultSensorStatus.RUNNING if automation.starts else dg.DefaultSensorStatus.STOPPED,
        description=f"Lands what is new of {source.name} and builds what is made of it.",
        tags={SOURCE: source.name},
    )
    def has_news(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        settle(context.instance, platform.home)
        found = lags(platform, of)
        asked = _asked(context.instance, platform, of, found, interval)
        known, verdicts = json.loads(context.cursor or "{}"), {t.id: found[t.id].is_fresh(t) for t in of}
        return dg.SensorResult(
            run_requests=[asked] if isinstance(asked, dg.RunRequest) else [],
            skip_reason=asked if isinstance(asked, str) else None,
            cursor=json.dumps(verdicts),
            asset_events=[evaluation(t, found[t.id]) for t in of if known.get(t.id) != verdicts[t.id]],
        )

    return has_news


def _asked(
    instance: dg.DagsterInstance, platform: Platform, of: Sequence[Table], found: Mapping[str, Lag], interval: float
) -> dg.RunRequest | str:
    """The run to ask for, or why none is."""
    last = _last_run(instance, of[0].source)
    if last is not None and not last.is_finished:
        return f"run {last.run_id[:8]} is under way"
    problems = [f"{t.id}: {problem}" for t in of if (problem := found[t.id].problem)]
    readable = [t for t in of if not found[t.id].problem]
    new = [t for t in readable if found[t.id].waiting or any(unfolded(platform, t))]
    if not new and (last is None or last.is_success):
        return "; ".join(problems) or "nothing is new"
    reasons = []
    for group in _groups(new or readable, found, platform.automation.tables_at_once):
        state = _state(group, found)
        tried = _attempts(instance, state)
        pause = min(interval * 2.0 ** (tried.made - 1), LONGEST_PAUSE_SECONDS) if tried.made else 0.0
        left = tried.ended + pause - time.time()
        if not tried.succeeded and left <= 0:
            return _request(group, found, state, tried.made + 1)
        names = ", ".join(t.id for t in group)
        reasons.append(f"{names}: " + ("taken" if tried.succeeded else f"failed; tried again in {left:.0f} s"))
    return "; ".join((*reasons, *problems))


def _groups(of: Sequence[Table], found: Mapping[str, Lag], at_once: int) -> Iterator[list[Table]]:
    """The tables of one run each; those furthest behind come first."""
    ordered = sorted(of, key=lambda t: found[t.id].oldest or found[t.id].at)
    return (ordered[begin : begin + at_once] for begin in range(0, len(ordered), at_once))


def _request(group: Sequence[Table], found: Mapping[str, Lag], state: str, attempt: int) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{state}/{attempt}",
        run_config={"ops": {"take_what_is_new": {"config": {"tables": [t.id for t in group]}}}},
        tags={
            SOURCE: group[0].source.name,
            STATE: state,
            "lakehouse/lag_messages": str(sum(found[t.id].waiting for t in group)),
            "lakehouse/lag_seconds": f"{max(found[t.id].seconds or 0.0 for t in group):.1f}",
        },
    )


def _state(group: Sequence[Table], found: Mapping[str, Lag]) -> str:
    """Stands for what each table and its source hold."""
    states = json.dumps(sorted((t.id, found[t.id].state) for t in group))
    return f"{group[0].source.name}/{hashlib.sha256(states.encode()).hexdigest()[:16]}"


def _last_run(instance: dg.DagsterInstance, source: Source) -> dg.DagsterRun | None:
    return next(iter(instance.get_runs(dg.RunsFilter(tags={SOURCE: source.name}), limit=1)), None)


def _attempts(instance: dg.DagsterInstance, state: str) -> Attempts:
    records = instance.get_run_records(dg.RunsFilter(tags={STATE: state}))
    if not records:
        return Attempts()
    return Attempts(len(records), records[0].dagster_run.is_success, records[0].end_time or 0.0)
