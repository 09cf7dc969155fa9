"""`lakehouse backfill`: the plan, the question, progress, and what became of the rows.

Where it stops: what runs is `operations/backfill.py`'s.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree, days_between
from lakehouse_assets.cli.output import Format, write_json, write_rows

if TYPE_CHECKING:
    from lakehouse_assets.operations.backfill import Backfill


def backfill(
    selection: Annotated[str, typer.Argument(help="Assets in Dagster's selection language; what is made of them too.")],
    first: Annotated[str, typer.Option("--from", help="The first day (2026-01-31, UTC).")],
    last: Annotated[str, typer.Option("--to", help="The last day, itself included.")],
    at_once: Annotated[int, typer.Option("--days-at-once", min=1, help="Days that are one commit of a table.")] = 7,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew where an earlier call stopped.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Rebuild days of a selection, and all that is made of it, from bronze; nothing is landed.

    Shows the plan and asks. Where it fails, the same command goes on with the step that failed.

    Example: lakehouse backfill silver/clickstream_user_events --from 2026-01-01 --to 2026-01-31 --dry-run
    """
    days = days_between(first, last)
    from lakehouse_assets.cli.progress import Progress
    from lakehouse_assets.cli.runs import stop_if_failed
    from lakehouse_assets.cli.session import load_definitions, open_instance, open_platform
    from lakehouse_assets.operations import backfill as operation
    from lakehouse_assets.operations.preflight import check

    platform = open_platform()
    definitions = load_definitions(platform)
    planned = operation.plan(definitions, platform, selection, *days, at_once, restart)
    if dry_run:
        _show(planned, form)
        return
    agree(
        f"rebuild {planned.days} days of {len(planned.assets)} assets?",
        "this rebuilds tables",
        yes,
        lambda: _show(planned, Format.TABLE),
    )
    check(platform)
    with open_instance() as instance, Progress() as progress:
        outcome = operation.run(definitions, platform, instance, planned, progress.listen, progress.planned)
    changed = operation.summary(platform, planned)
    if form is Format.JSON:
        write_json({**_document(planned), "success": outcome.success, "runs": outcome.runs,
                    "tables": [asdict(table) for table in changed]})  # fmt: skip
    else:
        write_rows(form, [f.name for f in fields(operation.Changed)], map(astuple, changed))
    stop_if_failed(outcome, progress.tally)


def _show(planned: Backfill, form: Format) -> None:
    if form is Format.JSON:
        write_json({**_document(planned), "tables": [asdict(held) for held in planned.before]})
        return
    write_rows(form, list(asdict(planned.before[0])), map(astuple, planned.before))
    resumed = f"; {len(planned.done)} steps are done already" if planned.done else ""
    typer.echo(
        f"{planned.days} days, {len(planned.steps)} steps{resumed}; assets: {', '.join(planned.assets)}", err=True
    )


def _document(planned: Backfill) -> dict[str, Any]:
    return {
        "selection": planned.selection,
        "from": planned.first,
        "to": planned.last,
        "days": planned.days,
        "steps": len(planned.steps),
        "steps_done": len(planned.done),
        "assets": planned.assets,
    }
