"""The commands that move and show data. Each states its options, calls one operation and prints what came of it.

Where it stops: nothing heavier than typer is imported before a command runs.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

import typer

from lakehouse_assets.cli.failure import BAD_INPUT, FAILED, stop
from lakehouse_assets.cli.options import days_between
from lakehouse_assets.cli.output import Format, write_rows

AsFormat = Annotated[Format, typer.Option("--format", help="table for people, csv or json for programs.")]
SHOWN_ROWS = 100


def demo(
    more: Annotated[bool, typer.Option("--more", help="Add 2,000 user events to what is there.")] = False,
) -> None:
    """Fill the four sources, build every layer and show what is there.

    Each source is filled once: called again, it lands only what is new.

    Example: lakehouse demo
    """
    from lakehouse_assets.cli.demo import run_demo

    run_demo(more)


def materialize(
    selection: Annotated[str, typer.Argument(help="Assets in Dagster's selection language.")] = "*",
    first: Annotated[str | None, typer.Option("--from", help="Rebuild from this day on (2026-01-31, UTC).")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Rebuild up to this day, itself included.")] = None,
    form: AsFormat = Format.TABLE,
) -> None:
    """Land and fold what is new, then the days that it touched; or rebuild days.

    Exit code 1 where an asset or a check of error severity failed.

    Example: lakehouse materialize 'silver/bank_users+'

    Example: lakehouse materialize group:silver --from 2026-01-01 --to 2026-01-07
    """
    days = days_between(first, last) if first or last else None
    from lakehouse_assets.cli.runs import run_selection

    run_selection(selection, days, form)


def run(
    continuous: Annotated[bool, typer.Option("--continuous", help="Go on until Ctrl-C or a termination.")] = False,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be given again.")] = None,
    every: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two looks at the sources.")] = 1.0,
    form: AsFormat = Format.TABLE,
) -> None:
    """Take what is new, source by source, and show how many seconds it took to each layer.

    They are counted from the commit of the oldest change at its source to the layer's last table. With --continuous it
    goes on: the first Ctrl-C or termination lets the increment that runs end, the second ends at once.

    Exit code 1 where the last increment of a source failed.

    Example: lakehouse run --continuous --source clickstream
    """
    from lakehouse_assets.cli.continuous import run_passes

    run_passes(continuous, source or (), every, form)


def tables(
    layer: Annotated[str | None, typer.Option(help="Only this layer: bronze, silver, ..., gold.")] = None,
    form: AsFormat = Format.TABLE,
) -> None:
    """List every table with its rows, files, bytes, last snapshot and checks.

    Example: lakehouse tables --layer silver --format json
    """
    from lakehouse_assets.cli.inventory import print_tables

    print_tables(layer, form)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; tables are named layer.table.")],
    engine: Annotated[
        Literal["duckdb", "clickhouse"], typer.Option(help="duckdb reads the lake, clickhouse reads gold.")
    ] = "duckdb",
    form: AsFormat = Format.TABLE,
    limit: Annotated[
        int | None, typer.Option(min=0, help=f"At most so many rows; a table shows {SHOWN_ROWS} unless told.")
    ] = None,
    snapshot: Annotated[str | None, typer.Option(help="Read the tables at this snapshot's id or tag.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Read the tables as of this time (2026-03-01T12:00:00Z).")] = None,
) -> None:
    """Ask one SELECT. Nothing can be written, and no file but the tables' can be read.

    Example: lakehouse query "select * from marts.daily_active_users" --format csv

    Example: lakehouse query "select count(*) from silver.bank_users" --as-of 2026-03-01T12:00:00Z
    """
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.cli.time_travel import chosen
    from lakehouse_assets.operations.query import ask

    most = SHOWN_ROWS if limit is None and form is Format.TABLE else limit
    at = chosen(snapshot, as_of)
    with ask(open_platform(), sql, engine, at) as answer:
        write_rows(form, answer.columns, islice(answer.rows, most))
        if limit is None and next(answer.rows, None) is not None:
            typer.echo(f"only the first {most} rows are shown; --limit shows more", err=True)


def events(
    rate: Annotated[float, typer.Option(min=0.001, max=1_000_000, help="Events a second.")] = 5.0,
    duration: Annotated[float | None, typer.Option(min=0, help="Stop after so many seconds.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Write so many at once instead of living.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed on the same log gives the same events.")] = 7,
    users: Annotated[int, typer.Option(min=1, help="How many users there are at first.")] = 100,
) -> None:
    """Produce user events: live until Ctrl-C, or a number of them at once.

    A later call goes on where the log ends, in time and in offsets.

    Example: lakehouse events --rate 50

    Example: lakehouse events --count 10000 --seed 1
    """
    if count is not None and duration is not None:
        stop("--count and --duration exclude each other: a count is written at once", BAD_INPUT)
    from lakehouse_assets.cli.producer import produce

    produce(rate, duration, count, seed, users)


def sync(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 names the stale files.")] = False,
) -> None:
    """Rewrite the files that are generated from the contracts and the dbt project.

    Example: lakehouse sync --check
    """
    from lakehouse_assets.cli.generated import compare, rewrite

    if not check:
        for name in rewrite():
            typer.echo(f"wrote {name}")
    elif stale := compare():
        stop(f"not in step with the contracts: {', '.join(stale)}; run `lakehouse sync`", FAILED)
