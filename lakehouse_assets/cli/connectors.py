"""The commands about the connectors that feed the topics. Where it stops: finding and writing is `operations`'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli.failure import reported
from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree, moment
from lakehouse_assets.cli.output import Format, write_rows

if TYPE_CHECKING:
    from lakehouse_assets.operations.connectors import Beginning

app = typer.Typer(help="What the lakehouse must know of the connectors.", no_args_is_help=True)

COLUMNS = ("table", "epoch", "epoch_after", "topic", "partition", "first_offset", "rebuilt_from", "rebuilt_to")


@app.callback()
def connectors() -> None:
    """What the lakehouse must know of the connectors."""


@app.command()
def reset(
    source: Annotated[str, typer.Argument(help="A source with a connector, such as bank.")],
    since: Annotated[
        str | None, typer.Option(help="The new log tells what the source made from this time on (ISO 8601).")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Tell that a source's log began anew: after a failover, a restore or RESET MASTER.

    Its positions begin lower than before, so that its changes would count as old ones. A new epoch sorts after
    everything of the one before. It begins, in each partition of each table, after the last change of the old log:
    told by the changes themselves, or by --since. Days that were folded as changes of the old log are built anew.

    Example: lakehouse connectors reset bank --dry-run

    Example: lakehouse connectors reset shop --since 2026-03-01T12:00:00Z --yes
    """
    begins = moment("--since", since)
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.engines.iceberg.transaction import Conflict
    from lakehouse_assets.engines.log.log import LogError
    from lakehouse_assets.operations import connectors as operation
    from lakehouse_assets.silver.rebuild import CannotRebuild

    platform = open_platform()
    with reported((operation.UnknownSource,), (operation.NotLanded, CannotRebuild, LogError, Conflict)):
        planned = operation.plan(platform, source, begins)
        if dry_run or not planned:
            _show(planned, form)
            return
        question, means = f"Begin a new epoch of {source}?", "this changes how later changes sort"
        agree(question, means, yes, lambda: _show(planned, Format.TABLE))
        _show(operation.reset(platform, source, begins), form)


def _show(beginnings: list[Beginning], form: Format) -> None:
    if form is Format.TABLE and not beginnings:
        typer.echo("nothing of this source was ever landed: there is no epoch to end")
        return
    rows = [
        (each.table, each.epoch, each.epoch + 1, each.topic, partition, offset, *(each.rebuilt or (None, None)))
        for each in beginnings
        for partition, offset in each.first_offsets.items()
    ]
    write_rows(form, COLUMNS, rows)
