"""Builds the models that have something to do and says of the others why not.

dbt is started once for all of them, and not at all when nothing moved. Where it stops: what a result looks like in
Dagster is `assets.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from lakehouse_assets.engines.dbt.invocation import DayRange, Invocation
from lakehouse_assets.engines.dbt.plan import plan, tests_of
from lakehouse_assets.engines.dbt.project import Model, Outcome, Project
from lakehouse_assets.engines.iceberg.scan import sequence_of
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.vault.days import looking_at


@dataclass(frozen=True)
class Built:
    """`waiting` names parents that do not exist yet; `seconds` is 0 where nothing ran."""

    model: Model
    state: Literal["built", "unchanged", "waiting"]
    seconds: float = 0.0
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tested:
    """A test by dbt's unique id; `failures` counts rows, `through` numbers the snapshot of its model."""

    unique_id: str
    outcome: Outcome
    failures: int
    message: str
    through: int


def build(
    platform: Platform,
    project: Project,
    models: Sequence[Model],
    days: DayRange | None = None,
    wants_test: Callable[[str], bool] = lambda _: True,
    again: Collection[str] = (),
    tested: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[Built | Tested]:
    """Yields each model and test as it ends; models named in `again` run although nothing moved.

    `tested` gives, for models whose tests all passed, the number of the snapshot that they passed on.

    Raises DbtFailed after the last when a model failed or was skipped.
    """
    looking = replace(looking_at(platform, project, models), days=days, tested=tested)
    with platform.open_duckdb() as conn:
        planned = plan(conn, looking, models, again)
    for model in planned.unchanged:
        yield Built(model, "unchanged")
    for identifier, missing in planned.waiting.items():
        yield Built(project.models[identifier], "waiting", waiting=missing)
    if planned.run:
        tests = [t for t in tests_of(looking, project, planned.run) if wants_test(t.unique_id)]
        yield from _run(platform, replace(looking, models=planned.run, tests=tests))


def _run(platform: Platform, invocation: Invocation) -> Iterator[Built | Tested]:
    # Importing dbt's command takes a second that reading definitions, and runs without work, must not.
    from lakehouse_assets.engines.dbt.runner import run, staging

    home = platform.home / "dbt"
    by_id = {m.unique_id: m for m in invocation.models}
    of_test = {test: m.identifier for m in invocation.models for test in m.tests}
    for result in run(replace(invocation, staging=staging(home)), platform.dbt_target, home):
        if result.unique_id in by_id and result.outcome == "success":
            yield Built(by_id[result.unique_id], "built", result.seconds)
        elif result.is_test and result.outcome != "skipped":
            table = invocation.table(of_test[result.unique_id])
            through = sequence_of(table) if table is not None else 0
            yield Tested(result.unique_id, result.outcome, result.failures or 0, result.message, through)
