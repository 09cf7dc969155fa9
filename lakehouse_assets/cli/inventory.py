"""The list of tables, as `tables` and `demo` print it. Where it stops: the facts are `operations/overview.py`'s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lakehouse_assets.cli.output import Format, write_rows
from lakehouse_assets.cli.session import load_definitions, open_instance, open_platform
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.overview import Checks, TableFacts, latest_checks, overview

COLUMNS = (
    "layer",
    "table",
    "rows",
    "files",
    "bytes",
    "last_snapshot",
    "checks_passed",
    "checks_warned",
    "checks_failed",
)
_UNITS = ("B", "kB", "MB", "GB", "TB")


def print_tables(layer: str | None, form: Format) -> None:
    """Prints the tables of all layers or of one. Exit code 2 for an unknown layer."""
    platform = open_platform()
    found = tables_of(platform, load_definitions(platform), layer)
    if form is Format.TABLE:
        show(found)
    else:
        write_rows(form, COLUMNS, [_row(facts) for facts in found])


def tables_of(platform: Platform, definitions: dg.Definitions, layer: str | None = None) -> list[TableFacts]:
    """The tables, with how the checks of these definitions last ended."""
    with open_instance() as instance:
        checks = latest_checks(instance, definitions.resolve_asset_graph().asset_check_keys)
        return overview(platform, checks, layer)


def show(found: Sequence[TableFacts]) -> None:
    """For people, on 80 columns: the layer's name above its tables, sizes in words, times in UTC without the year.

    Where that is too little, numbers are folded and names are not.
    """
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("table", no_wrap=True)
    for name in ("rows", "files", "size", "snapshot", "pass", "warn", "fail"):
        table.add_column(name, justify="right", overflow="fold")
    layer = ""
    for facts in found:
        if facts.layer != layer:
            layer = facts.layer
            table.add_row(Text(layer, style="bold cyan"))
        at = f"{facts.changed_at:%m-%d %H:%M}" if facts.changed_at else "never"
        numbers = (f"{facts.rows:,}", f"{facts.files:,}", size(facts.bytes), at)
        table.add_row(facts.table, *numbers, *_checks(facts.checks))
    Console().print(table)


def size(count: float) -> str:
    """`12.3 MB`."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.{1 if unit and count < 99.95 else 0}f} {_UNITS[unit]}"


def _checks(checks: Checks) -> Iterator[Text]:
    """Passed, warned, failed; nothing for none."""
    styles = ("", "yellow", "bold red")
    for count, style in zip((checks.passed, checks.warned, checks.failed), styles, strict=True):
        yield Text(str(count or ""), style=style)


def _row(facts: TableFacts) -> tuple[Any, ...]:
    checks = facts.checks
    numbers = (facts.rows, facts.files, facts.bytes, facts.changed_at)
    return (facts.layer, facts.table, *numbers, checks.passed, checks.warned, checks.failed)
