"""Maintenance as a Dagster job: one op per table, in the pool of whatever else writes the table.

What was done is an observation of the table's asset, with files and bytes before and after. The schedule is defined and
stopped: who wants it starts it. Where it stops: what is done is `maintenance`'s.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from lakehouse_assets.asset_facts import asset_key
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.maintenance import KINDS, maintain

MAINTAIN = "maintain"
NIGHTLY = "30 2 * * *"
STOPPED = dg.DefaultScheduleStatus.STOPPED


def maintenance_definitions(platform: Platform, assets: dg.Definitions) -> dg.Definitions:
    """The job over every Iceberg table among the assets, and its nightly schedule."""
    job = _job(platform, _pools(assets))
    nightly = dg.ScheduleDefinition(
        name=f"{MAINTAIN}_nightly",
        job=job,
        cron_schedule=NIGHTLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if platform.automation.starts else STOPPED,
        description="Compact, expire and clean up every table at night.",
        tags={"lakehouse/job": MAINTAIN},
    )
    return dg.Definitions(jobs=[job], schedules=[nightly])


def _pools(assets: dg.Definitions) -> Mapping[str, str]:
    """The pool that writers of each table share, by table."""
    found: dict[str, str] = {}
    for made in assets.resolve_asset_graph().assets_defs:
        for key in made.keys if made.is_executable else ():
            if len(key.path) == 2 and key.path[0] != "gold":
                found[".".join(key.path)] = next(iter(made.op.pools), key.path[1])
    return found


def _job(platform: Platform, pools: Mapping[str, str]) -> dg.JobDefinition:
    ops = [_op(platform, table, pool) for table, pool in sorted(pools.items())]

    @dg.job(
        name=MAINTAIN,
        description=" ".join(kind.description for kind in KINDS.values()),
        executor_def=dg.in_process_executor,
        tags={"lakehouse/job": MAINTAIN},
    )
    def maintain_all() -> None:
        for op in ops:
            op()

    return maintain_all


def _op(platform: Platform, table: str, pool: str) -> dg.OpDefinition:
    @dg.op(
        name=f"maintain_{table.replace('.', '__')}",
        pool=pool,
        config_schema={"kinds": dg.Field([str], default_value=list(KINDS), description="Which kinds of work to do.")},
        description=f"Maintains {table}.",
    )
    def maintain_table(context: dg.OpExecutionContext) -> None:
        if load(platform.open_catalog(), table) is None:
            return
        failed: list[str] = []
        for done in maintain(platform, context.op_config["kinds"], [table], failed.append):
            metadata: dict[str, Any] = {k: v for k, v in asdict(done).items() if k != "table" and v is not None}
            context.log_event(dg.AssetObservation(asset_key(table), metadata=metadata))
        if failed:
            raise dg.Failure("; ".join(failed), metadata={"table": table})

    return maintain_table
