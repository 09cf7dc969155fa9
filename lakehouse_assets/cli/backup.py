"""`lakehouse backup`: make, list, verify and put back backups of the embedded lakehouse.

Where it stops: what is in one is `operations/backup.py`'s.
"""

from __future__ import annotations

from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree
from lakehouse_assets.cli.output import Format, write_rows

if TYPE_CHECKING:
    from lakehouse_assets.engines.platform import Platform
    from lakehouse_assets.operations.backup import Backup

app = typer.Typer(help="Backups of catalog, tables, gold, event log and CSV files.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--folder", help="Where backups lie, if not at LAKEHOUSE_BACKUPS.")]
Name = Annotated[str | None, typer.Argument(help="As `lakehouse backup list` shows it; by default the newest.")]
COLUMNS = ("backup", "made_at", "files", "bytes")


@app.command()
def create(folder: Folder = None, dry_run: DryRun = False, form: AsFormat = Format.TABLE) -> None:
    """Make a backup. Landing and everything else may go on meanwhile.

    Example: lakehouse backup create --folder /mnt/backups
    """
    from lakehouse_assets.operations import backup as operation

    platform, target = _opened(folder)
    if dry_run:
        write_rows(form, ("files", "bytes"), [operation.planned(platform)])
        return
    _print([operation.create(platform, target)], form)


@app.command(name="list")
def list_backups(folder: Folder = None, form: AsFormat = Format.TABLE) -> None:
    """List the backups, newest first.

    Example: lakehouse backup list
    """
    from lakehouse_assets.operations.backup import backups

    _print(backups(_opened(folder)[1]), form)


@app.command()
def verify(name: Name = None, folder: Folder = None, form: AsFormat = Format.TABLE) -> None:
    """Read every file of a backup and compare it with its checksum. Exit code 1 where one differs.

    Example: lakehouse backup verify
    """
    from lakehouse_assets.operations import backup as operation

    found = operation.find(_opened(folder)[1], name)
    operation.verify(found)
    _print([found], form)


@app.command()
def restore(
    name: Name = None, folder: Folder = None, dry_run: DryRun = False, yes: Yes = False, form: AsFormat = Format.TABLE
) -> None:
    """Verify a backup and put it back. What is there is moved aside, not deleted. Stop everything else that runs first.

    Example: lakehouse backup restore --dry-run
    """
    from lakehouse_assets.operations import backup as stored
    from lakehouse_assets.operations import restore as operation

    platform, target = _opened(folder)
    found = stored.find(target, name)
    there = operation.check(platform, found)
    typer.echo(f"backup {found.name}; replaces in {platform.home}: {', '.join(there) or 'nothing'}", err=True)
    if dry_run:
        _print([found], form)
        return
    if there:
        agree(f"replace the lakehouse at {platform.home}?", f"this replaces the lakehouse at {platform.home}", yes)
    done = operation.restore(platform, found)
    write_rows(form, list(asdict(done)), [astuple(done)])


def _opened(folder: Path | None) -> tuple[Platform, Path]:
    from lakehouse_assets.cli.session import open_platform

    platform = open_platform()
    return platform, (folder or platform.backup_folder).resolve()


def _print(found: list[Backup], form: Format) -> None:
    write_rows(form, COLUMNS, [(b.name, b.made_at, len(b.entries), b.bytes) for b in found])
