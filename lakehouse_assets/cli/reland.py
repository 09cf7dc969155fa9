"""The command that lands again what bronze lacks of a window of the log. Where it stops: finding is `bronze`'s."""

from __future__ import annotations

from dataclasses import asdict, astuple
from typing import Annotated

import typer

from lakehouse_assets.cli.failure import BAD_INPUT, stop
from lakehouse_assets.cli.options import AsFormat, DryRun, time_of
from lakehouse_assets.cli.output import Format, write_rows


def reland(
    table_id: Annotated[str, typer.Argument(metavar="TABLE", help="A table that is landed from a topic: bank_users.")],
    start: Annotated[str, typer.Option("--from", help="The first message's time in the log (2026-03-01T12:00:00Z).")],
    end: Annotated[str, typer.Option("--to", help="Before this time.")],
    dry_run: DryRun = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Compare a window of the log with bronze, and land what is missing there; what is there is left.

    Silver takes it up with the next `lakehouse materialize`.

    Example: lakehouse reland bank_users --from 2026-03-01 --to 2026-03-02 --dry-run
    """
    times = time_of("--from", start), time_of("--to", end)
    if times[0] >= times[1]:
        stop(f"--from {start} is not before --to {end}", BAD_INPUT)
    from lakehouse_assets.bronze import reland as operation
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.contracts.registry import table

    contract = table(table_id)
    if contract.source.kind == "files":
        stop(f"{table_id} is landed from files, each once by its content: deliver the rows in a new file", BAD_INPUT)
    done = operation.reland(open_platform(), contract, *times, dry_run)
    write_rows(form, list(asdict(done)), [astuple(done)])
