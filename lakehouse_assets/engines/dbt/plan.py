"""Which of the selected models have something to do, and which tests can look at them.

A model runs when a parent holds rows beyond the model's mark, when a parent runs before it, or when it was never built.
Where it stops: nothing is run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import duckdb

from lakehouse_assets.engines.dbt.invocation import Invocation
from lakehouse_assets.engines.dbt.marks import stale_days, through
from lakehouse_assets.engines.dbt.project import Model, Project, Test
from lakehouse_assets.engines.iceberg.progress import moved


@dataclass(frozen=True)
class Plan:
    """`waiting` gives, for a model that cannot run, the parents that do not exist yet."""

    run: tuple[Model, ...]
    unchanged: tuple[Model, ...]
    waiting: dict[str, tuple[str, ...]]


def plan(
    conn: duckdb.DuckDBPyConnection, invocation: Invocation, selected: Iterable[Model], again: Collection[str] = ()
) -> Plan:
    """Sorts the selected models, in the order they depend on each other; those named in `again` run in any case."""
    wanted = {m.identifier for m in selected}
    run: dict[str, Model] = {}
    unchanged: list[Model] = []
    waiting: dict[str, tuple[str, ...]] = {}
    for model in (m for m in invocation.project.models.values() if m.identifier in wanted):
        missing = tuple(p for p in model.parents if p not in run and invocation.table(p) is None)
        if missing:
            waiting[model.identifier] = missing
        elif model.identifier in again or any(p in run for p in model.parents) or _has_work(conn, invocation, model):
            run[model.identifier] = model
        else:
            unchanged.append(model)
    return Plan(tuple(run.values()), tuple(unchanged), waiting)


def tests_of(invocation: Invocation, project: Project, models: Iterable[Model]) -> tuple[Test, ...]:
    """The tests of models that run, where every table that they read exists or is made by the run."""
    made = {m.identifier: m for m in models}
    tests = [project.tests[t] for m in made.values() for t in m.tests]
    return tuple(t for t in tests if all(p in made or invocation.table(p) is not None for p in t.parents))


def _has_work(conn: duckdb.DuckDBPyConnection, invocation: Invocation, model: Model) -> bool:
    own = invocation.table(model.identifier)
    if own is None:
        return True
    if model.strategy == "days":
        stale = stale_days(conn, model, own, invocation.dated_parents_of(model), invocation.first_day)
        return invocation.days is not None and any(day in invocation.days for day in stale)
    known = through(own, model)
    return any(p not in known or moved(t, known[p]) for p, t in invocation.parents_of(model).items())
