"""The days that a date-grained mart has yet to build, for whoever plans runs: the command line, a sensor.

Where it stops: it reads marks and days, and runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from lakehouse_assets.engines.dbt import marks
from lakehouse_assets.engines.dbt.invocation import Invocation
from lakehouse_assets.engines.dbt.project import Model, Project
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.partitions import FIRST_DAY
from lakehouse_assets.vault import manifest


def daily_marts(project: Project | None = None) -> tuple[Model, ...]:
    """The models that are built by day."""
    return tuple(m for m in (project or manifest.project()).models.values() if m.strategy == "days")


def stale_days(platform: Platform, mart_name: str, project: Project | None = None) -> set[date]:
    """What earlier runs left and what the parents touched since; empty where a parent does not exist yet.

    Raises UnknownModel, and ValueError for a model that is not built by day.
    """
    known = project or manifest.project()
    model = known.model(mart_name)
    if model.strategy != "days":
        raise ValueError(f"{mart_name} is not built by day; these are: {', '.join(m.name for m in daily_marts(known))}")
    looking = looking_at(platform, known)
    parents = looking.dated_parents_of(model)
    if len(parents) < len(model.parents):
        return set()
    with platform.open_duckdb() as conn:
        return marks.stale_days(conn, model, looking.table(model.identifier), parents, FIRST_DAY)


def looking_at(platform: Platform, project: Project, models: Sequence[Model] = ()) -> Invocation:
    """An invocation that is only looked at: it has no rows to stage."""
    return Invocation(platform.open_catalog(), project, models, (), Path(), platform.memory_limit, FIRST_DAY)
