"""`lakehouse diff` and `lakehouse tag`: what a table was at a snapshot, a time or a tag. `query` reads it.

Where it stops: what a point means is `engines/iceberg/time_travel.py`'s.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli.failure import BAD_INPUT, stop
from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree, moment, time_of
from lakehouse_assets.cli.output import Format, write_json, write_rows

if TYPE_CHECKING:
    from lakehouse_assets.engines.iceberg.time_travel import Point

SHOWN_ROWS = 100
POINT = "A snapshot's id as `lakehouse history` lists it, a time (2026-03-01T12:00:00Z), or a tag."


def point(option: str, text: str) -> Point:
    """Digits are an id, what begins with a letter is a tag, and all else must be a time."""
    if text.isdecimal():
        return int(text)
    if text[:1].isalpha():
        return text
    return time_of(option, text)


def chosen(snapshot: str | None, as_of: str | None) -> Point | None:
    """The point of `--snapshot` or `--as-of`, of which one at most is given."""
    if snapshot is not None and as_of is not None:
        stop("--snapshot and --as-of exclude each other", BAD_INPUT)
    if snapshot is not None and not snapshot.isdecimal() and not snapshot[:1].isalpha():
        stop(f"--snapshot {snapshot!r} is neither a snapshot's id nor a tag", BAD_INPUT)
    return point("--snapshot", snapshot) if snapshot is not None else moment("--as-of", as_of)


def diff(
    table: Annotated[str, typer.Argument(help="layer.table")],
    start: Annotated[str, typer.Option("--from", help=POINT)],
    end: Annotated[str, typer.Option("--to", help=f"{POINT} By default the present.")] = "main",
    key: Annotated[str, typer.Option(help="Columns by commas, where not the declared key.")] = "",
    metric: Annotated[str | None, typer.Option(help="An SQL expression to compare, such as 'sum(balance)'.")] = None,
    form: AsFormat = Format.TABLE,
    limit: Annotated[int, typer.Option(min=0, help="At most so many rows are listed.")] = SHOWN_ROWS,
) -> None:
    """List the rows that were added, changed and removed between two points, by key, with the columns that changed.

    Example: lakehouse diff silver.bank_users --from 2026-03-01T00:00:00Z

    Example: lakehouse diff marts.daily_metrics --from before-fix --to main --metric 'sum(revenue)' --format json
    """
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.operations import diff as operation

    platform = open_platform()
    points = point("--from", start), point("--to", end)
    names = [name.strip() for name in key.split(",") if name.strip()]
    with operation.diff(platform, table, *points, names) as found:
        values = [operation.metric(platform, table, metric, at) for at in points] if metric else []
        columns = ("change", *found.key, "changed_columns")
        rows = [*islice(found.rows, limit)]
        if form is not Format.JSON:
            write_rows(form, columns, rows)
            told = ", ".join(f"{change} {count}" for change, count in found.counts.items())
            typer.echo(f"{told}{f'; {metric}: {values[0]} to {values[1]}' if metric else ''}", err=True)
            return
        document = {
            "table": table,
            "from": {"snapshot_id": found.before.snapshot_id, "at": found.before.at},
            "to": {"snapshot_id": found.after.snapshot_id, "at": found.after.at},
            **found.counts,
            "new_columns": found.new_columns,
            "gone_columns": found.gone_columns,
            "metric": {"expression": metric, "from": values[0], "to": values[1]} if metric else None,
            "rows": [dict(zip(columns, row, strict=True)) for row in rows],
        }
        write_json(document)


def tag(
    table: Annotated[str, typer.Argument(help="layer.table")],
    name: Annotated[str | None, typer.Argument(help="The tag; without one the table's tags are listed.")] = None,
    snapshot: Annotated[str | None, typer.Option(help=f"{POINT} By default the present.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag away; its snapshot may then expire.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    form: AsFormat = Format.TABLE,
) -> None:
    """Name a snapshot, which then does not expire; or list or remove such names.

    Example: lakehouse tag marts.daily_metrics before-fix

    Example: lakehouse tag marts.daily_metrics before-fix --remove --dry-run
    """
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.engines.iceberg.time_travel import snapshot_at, tagged, tags, untag
    from lakehouse_assets.engines.iceberg.time_travel import tag as give
    from lakehouse_assets.operations.history import open_table, version

    opened = open_table(open_platform().open_catalog(), table)
    if name is None and (remove or snapshot is not None):
        stop("a NAME is needed to set or remove a tag; without --snapshot and --remove they are listed", BAD_INPUT)
    if name is None:
        shown = tags(opened)
    elif remove:
        if snapshot is not None:
            stop("--snapshot and --remove exclude each other: a tag is removed by its name", BAD_INPUT)
        shown = {name: tagged(opened, name)}
        if not dry_run:
            agree(f"remove tag {name} of {table}?", "a snapshot without its tag may expire", yes)
            untag(opened, name)
    else:
        at = snapshot_at(opened, point("--snapshot", snapshot or "main"))
        shown = {name: at}
        give(opened, name, at, dry_run=dry_run)
    versions = ((tag, version(found)) for tag, found in sorted(shown.items()))
    write_rows(form, ("tag", "snapshot_id", "at", "rows"), [(t, v.snapshot_id, v.at, v.rows) for t, v in versions])


def add_to(app: typer.Typer) -> None:
    """Makes them commands of `lakehouse`."""
    app.command()(diff)
    app.command()(tag)
