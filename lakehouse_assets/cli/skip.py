"""The command that gives up messages which expired before they were landed. Where it stops: finding is `bronze`'s."""

from __future__ import annotations

from typing import Annotated

import typer

from lakehouse_assets.cli.failure import BAD_INPUT, stop
from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree
from lakehouse_assets.cli.output import Format, write_rows

COLUMNS = ("partition", "first_offset", "end_offset")


def skip_expired(
    table_id: Annotated[str, typer.Argument(metavar="TABLE", help="A table that is landed from a topic: bank_users.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Give up messages that the log dropped before they were landed, and go on where it begins now.

    The offsets that were given up stay in the marks of the bronze table.

    Example: lakehouse skip-expired bank_users --dry-run
    """
    from lakehouse_assets.bronze.skip import gaps, skip
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.contracts.registry import table

    platform = open_platform()
    contract = table(table_id)
    if contract.source.kind == "files":
        stop(f"{table_id} is landed from files, of which none expires", BAD_INPUT)
    found = gaps(platform, contract)
    if form is Format.TABLE and not found:
        typer.echo(f"{table_id}: the log holds every message that is still to be landed")
    else:
        write_rows(form, COLUMNS, [(gap.partition, gap.first, gap.end) for gap in found])
    if dry_run or not found:
        return
    offsets = sum(gap.end - gap.first for gap in found)
    agree(f"Give up {offsets} offsets?", "messages that are given up are never landed", yes)
    skip(platform, contract, found)
