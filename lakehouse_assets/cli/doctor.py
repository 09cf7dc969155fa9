"""`lakehouse doctor`: a line for each thing that must be true of the services, and what to do where it is not.

Where it stops: what is looked at is the profile's list.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli.failure import FAILED
from lakehouse_assets.cli.options import AsFormat
from lakehouse_assets.cli.output import Format, write_rows

if TYPE_CHECKING:
    from lakehouse_assets.engines.probe import Finding

COLUMNS = ("service", "claim", "ended", "found", "fix")
_MARKS = {"ok": "ok     ", "failed": "FAILED ", "not looked at": "-      "}


def doctor(
    limit: Annotated[float, typer.Option(min=0.1, help="Seconds that one answer may take.")] = 15.0,
    form: AsFormat = Format.TABLE,
) -> None:
    """Look at every service of the profile and say what to do where one cannot be used.

    Exit code 1 where anything is wrong. Nothing is changed but that LAKEHOUSE_HOME is made.

    Example: lakehouse doctor --format json
    """
    import dagster as dg

    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.operations.doctor import diagnose
    from lakehouse_assets.profiles.active import instance_home

    found = diagnose(open_platform(), lambda: dg.DagsterInstance.from_config(str(instance_home())), limit)
    if form is Format.TABLE:
        for finding in found:
            typer.echo(line(finding))
    else:
        write_rows(form, COLUMNS, [tuple(asdict(f)[name] for name in COLUMNS) for f in found])
    if any(finding.ended == "failed" for finding in found):
        raise typer.Exit(FAILED)


def line(finding: Finding) -> str:
    """One line for people: `FAILED Kafka is_reachable: connection refused; fix: start it`."""
    fix = f"; fix: {finding.fix}" if finding.fix else ""
    return f"{_MARKS[finding.ended]}{finding.service} {finding.claim}: {finding.found}{fix}"
