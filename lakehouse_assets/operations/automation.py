"""The job `increment`: the everyday button of the UI, the same function as the command line's.

It is a job of one op. An asset job over these assets would ask for days, because some of them have days, and a run with
days is a rebuild; the op starts the runs that an increment needs, each of which shows in the UI.
Where it stops: what runs, and for which days, is `materialize`'s.
"""

from collections.abc import Collection

import dagster as dg

from lakehouse_assets.contracts.registry import table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.broken_off import running
from lakehouse_assets.operations.materialize import increment, reason

INCREMENT = "increment"


def increment_job(platform: Platform, definitions: dg.Definitions) -> dg.JobDefinition:
    """A job that needs no partition; `definitions` holds the assets and checks that it may run."""

    @dg.op(
        name="take_what_is_new",
        config_schema={"tables": dg.Field([str], default_value=[], description="Ids of source tables; none is all.")},
        description="Lands and folds what is new, then builds the days that it touched.",
    )
    def take_what_is_new(context: dg.OpExecutionContext) -> None:
        def told(event: dg.DagsterEvent) -> None:
            if event.is_step_success or event.is_step_failure:
                context.log.info(f"{event.step_key}: {event.event_type_value.removeprefix('STEP_').lower()}")
            if event.is_step_failure:
                reasons.append(f"{event.step_key}: {reason(event.step_failure_data)}")

        reasons: list[str] = []
        with running(platform.home, context.run_id):
            done = increment(definitions, platform, context.instance, below(context.op_config["tables"]), told)
        runs = ", ".join(run[:8] for run in done.runs) or "none: nothing is new"
        days = ", ".join(f"{first} to {last}" for first, last in done.days) or "none"
        context.log.info(f"runs: {runs}; steps: {done.steps}; days: {days}")
        if not done.success or done.failed_checks:
            checks = (f"check {name}" for name in done.failed_checks)
            raise dg.Failure(f"failed: {'; '.join((*reasons, *checks))}", metadata={"runs": list(done.runs)})

    @dg.job(
        name=INCREMENT,
        description="Land and fold what is new in every layer, then build and publish the days that it touched.",
        executor_def=dg.in_process_executor,
        tags={"lakehouse/job": INCREMENT},
    )
    def increment_all() -> None:
        take_what_is_new()

    return increment_all


def below(table_ids: Collection[str]) -> str:
    """The selection of bronze tables and all that is made of them; of everything where none is named.

    Raises UnknownTable.
    """
    return " or ".join(f'key:"bronze/{table(each).id}"+' for each in table_ids) or "*"
