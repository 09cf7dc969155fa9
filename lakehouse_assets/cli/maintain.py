"""`lakehouse maintain`, `lakehouse history` and `lakehouse rollback`: the plan first, then the question, then the work.

Where it stops: what is due, and how it is done safely, is `operations`'.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, astuple, fields
from typing import Annotated, Literal

import typer

from lakehouse_assets.cli.failure import FAILED, stop
from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree
from lakehouse_assets.cli.output import Format, write_rows

CHANGES = "this changes tables"


def maintain(
    kind: Annotated[Literal["retain", "compact", "expire", "orphans", "all"], typer.Argument(help="What to do.")],
    table: Annotated[list[str] | None, typer.Option("--table", help="Only this one (layer.table); repeatable.")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Drop what is past its retention, compact small files, expire old snapshots and remove orphan files.

    Shows the plan, asks, and shows files and bytes before and after. Where a table fails, the others are maintained,
    and the exit code is 1.

    Example: lakehouse maintain all --dry-run

    Example: lakehouse maintain compact --table bronze.bank_users --yes --format json
    """
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.operations.maintenance import KINDS, Work, planned, tables
    from lakehouse_assets.operations.maintenance import maintain as work_on

    columns = [f.name for f in fields(Work)]
    kinds = list(KINDS) if kind == "all" else [kind]
    platform = open_platform()
    names = tables(platform, table or ())
    failed: list[str] = []
    work: Iterable[Work] = planned(platform, kinds, names, failed.append)
    if work and not dry_run:
        plan = list(work)
        question = f"do this to {len({w.table for w in plan})} tables?"
        agree(question, CHANGES, yes, lambda: write_rows(Format.TABLE, columns, map(astuple, plan)))
        failed.clear()  # what still fails is told again
        work = work_on(platform, kinds, names, failed.append)
    write_rows(form, columns, map(astuple, work))
    if failed:
        stop(f"failed: {'; '.join(failed)}", FAILED)


def history(
    table: Annotated[str, typer.Argument(help="layer.table")],
    form: AsFormat = Format.TABLE,
) -> None:
    """List the snapshots of a table, newest first.

    Example: lakehouse history silver.bank_users
    """
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.operations.history import Version, open_table
    from lakehouse_assets.operations.history import history as versions

    found = versions(open_table(open_platform().open_catalog(), table))
    write_rows(form, [f.name for f in fields(Version)], map(astuple, found))


def rollback(
    table: Annotated[str, typer.Argument(help="layer.table")],
    to: Annotated[int, typer.Option("--to", help="The snapshot's id, as `lakehouse history` lists it.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Make an earlier snapshot of a table the present one. What was stays under a tag.

    Offsets and watermarks go back too: the next increment lands and folds again what was rolled away, and takes up
    everything that is made of the table.

    Example: lakehouse rollback silver.bank_users --to 4862170573842236451
    """
    from lakehouse_assets.cli.session import load_definitions, open_instance, open_platform
    from lakehouse_assets.operations import history as operation

    platform = open_platform()
    operation.check(platform, operation.open_table(platform.open_catalog(), table), to)
    stale = operation.below(load_definitions(platform), table)
    typer.echo(
        f"made of {table}, stale after it: {', '.join(k.to_user_string() for k in stale) or 'nothing'}", err=True
    )
    if dry_run:
        return
    agree(f"roll {table} back to {to}?", CHANGES, yes)
    done = operation.rollback(platform, table, to)
    with open_instance() as instance:
        operation.tell_stale(instance, stale, done)
    write_rows(form, list(asdict(done)), [astuple(done)])


def add_to(app: typer.Typer) -> None:
    """Makes them commands of `lakehouse`."""
    app.command()(maintain)
    app.command()(history)
    app.command()(rollback)
