"""The commands about the connectors that feed the topics. Where it stops: finding and doing is `operations`'."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli.failure import FAILED
from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree, moment
from lakehouse_assets.cli.output import Format, write_rows

if TYPE_CHECKING:
    from lakehouse_assets.operations.connectors import Difference
    from lakehouse_assets.operations.epochs import Beginning

app = typer.Typer(help="Connectors as the contracts say, and what must be known of them.", no_args_is_help=True)

COLUMNS = ("table", "epoch", "epoch_after", "topic", "partition", "first_offset", "rebuilt_from", "rebuilt_to")
STATUS = ("source", "state", "tasks", "lag_bytes", "problem")
DIFFERENCES = ("source", "what")

SourceName = Annotated[str, typer.Argument(help="A source with a connector, such as bank.")]


@app.callback()
def connectors() -> None:
    """Connectors as the contracts say, and what must be known of them."""


@app.command()
def apply(
    source: Annotated[str | None, typer.Argument(help="A source with a connector; all of them where none.")] = None,
    dry_run: DryRun = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Make databases and connectors as the contracts say, and show what differed.

    In PostgreSQL that is the publication of exactly the contracts' tables and the connector's right to read them; in
    every database the tables of its heartbeat and its signals. A table that a connector did not know before is read by
    `lakehouse connectors snapshot`.

    Example: lakehouse connectors apply --dry-run
    """
    from lakehouse_assets.cli.session import open_connectors
    from lakehouse_assets.operations import connectors as operation

    found = open_connectors()
    done = [each for one in operation.captured(source) for each in operation.apply(found, one, dry_run)]
    _tell(done, form, "nothing to change: databases and connectors are as the contracts say")


@app.command()
def status(form: AsFormat = Format.TABLE) -> None:
    """Show each connector's state, tasks, lag in bytes of its source's log, and problem. Exit code 1 where one is down.

    Example: lakehouse connectors status --format json
    """
    from lakehouse_assets.cli.session import open_connectors
    from lakehouse_assets.operations import connectors as operation

    found = open_connectors()
    held = [operation.status(found, source) for source in operation.captured()]
    write_rows(form, STATUS, [astuple(each) for each in held])
    if any(each.state != "RUNNING" for each in held):
        raise typer.Exit(FAILED)


@app.command()
def delete(source: SourceName, dry_run: DryRun = False, yes: Yes = False, form: AsFormat = Format.TABLE) -> None:
    """Remove a connector with its offsets, and PostgreSQL's slot and publication; topics and what was landed stay.

    A connector that is applied again begins with a whole snapshot.

    Example: lakehouse connectors delete bank --dry-run
    """
    from lakehouse_assets.cli.session import open_connectors
    from lakehouse_assets.operations import connectors as operation

    found = open_connectors()
    [chosen] = operation.captured(source)
    planned = operation.removals(found, chosen)
    if not dry_run and planned:
        means = "this ends the capture of its changes"
        agree(f"Delete the connector of {source}?", means, yes, lambda: _tell(planned, Format.TABLE, ""))
        planned = operation.delete(found, chosen)
    _tell(planned, form, f"nothing to delete: {source} has neither connector nor slot")


@app.command()
def snapshot(source: SourceName, table: Annotated[str, typer.Argument(help="A table of it, such as users.")]) -> None:
    """Ask the running connector to read one table beside its log: after the table was added to the contracts, or when
    its rows are in doubt.

    Example: lakehouse connectors snapshot bank users
    """
    from lakehouse_assets.cli.session import open_connectors
    from lakehouse_assets.operations import connectors as operation

    found = open_connectors()
    [chosen] = operation.captured(source)
    operation.snapshot(found, chosen, table)
    typer.echo(f"asked: connector {source} reads {table} while it goes on")


@app.command()
def reset(
    source: SourceName,
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
    from lakehouse_assets.operations import epochs as operation

    platform = open_platform()
    planned = operation.plan(platform, source, begins)
    if dry_run or not planned:
        _show(planned, form)
        return
    question, means = f"Begin a new epoch of {source}?", "this changes how later changes sort"
    agree(question, means, yes, lambda: _show(planned, Format.TABLE))
    _show(operation.reset(platform, source, begins), form)


def _tell(differences: list[Difference], form: Format, nothing: str) -> None:
    if form is Format.TABLE and not differences:
        typer.echo(nothing)
        return
    write_rows(form, DIFFERENCES, [astuple(each) for each in differences])


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
