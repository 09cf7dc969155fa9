"""`lakehouse live create` and `drop`: gold over the shop's live database.

Where it stops: what they are, and how they read, is `gold/live.py`'s.
"""

from __future__ import annotations

import typer

from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree
from lakehouse_assets.cli.output import Format, write_rows

app = typer.Typer(help="Gold over the live database of the shop.", no_args_is_help=True)


@app.command()
def create(dry_run: DryRun = False, form: AsFormat = Format.TABLE) -> None:
    """Make the tables and views, or make them anew after a contract changed. Nothing is copied.

    ClickHouse's configuration must hold a named collection that is called like the source.

    Example: lakehouse live create --dry-run
    """
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.gold import live

    made = list(live.live_objects()) if dry_run else live.create(open_platform().open_clickhouse())
    write_rows(form, ("name", "kind", "statement"), [(f"gold.{o.name}", o.kind, o.statement) for o in made])


@app.command()
def drop(dry_run: DryRun = False, yes: Yes = False, form: AsFormat = Format.TABLE) -> None:
    """Remove the tables and views. The database that they read is not touched.

    Example: lakehouse live drop --yes
    """
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.gold import live

    client = open_platform().open_clickhouse()
    names = live.existing(client)
    if names and not dry_run:
        agree(f"Remove {', '.join(names)}?", "this removes tables and views", yes)
        names = live.drop(client)
    write_rows(form, ("name",), [(f"gold.{name}",) for name in names])
