"""The job `backup` and its daily schedule, which is stopped unless the settings automate: who wants it starts it.

Where it stops: what a backup is, is `backup.py`'s.
"""

import dagster as dg

from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.backup import create, prune, verify

BACKUP = "backup"
STOPPED = dg.DefaultScheduleStatus.STOPPED
DAILY_AT = "30 3 * * *"
KEEP = 7


def backup_definitions(platform: Platform) -> dg.Definitions:
    """A job of one op, whose configuration says how many backups are kept."""

    @dg.op(
        name="make_backup",
        pool=BACKUP,
        config_schema={"keep": dg.Field(int, default_value=KEEP, description="So many stay; older ones go.")},
        description="Makes a backup, verifies it, and only then removes the oldest beyond those that are kept.",
    )
    def make_backup(context: dg.OpExecutionContext) -> None:
        target = platform.backup_folder
        made = create(platform, target)
        verify(made)
        gone = prune(target, context.op_config["keep"])
        context.log.info(f"{made.folder}: {len(made.entries)} files, {made.bytes} bytes; removed: {gone or 'none'}")
        context.add_output_metadata({"backup": str(made.folder), "files": len(made.entries), "bytes": made.bytes})

    @dg.job(
        name=BACKUP,
        description="Back up gold, the catalog, the tables, the event log and the CSV files.",
        executor_def=dg.in_process_executor,
        tags={"lakehouse/job": BACKUP},
    )
    def back_up() -> None:
        make_backup()

    daily = dg.ScheduleDefinition(
        name=f"{BACKUP}_daily",
        job=back_up,
        cron_schedule=DAILY_AT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if platform.automation.starts else STOPPED,
        description="A backup a day.",
        tags={"lakehouse/job": BACKUP},
    )
    return dg.Definitions(jobs=[back_up], schedules=[daily])
