"""Options that several commands have, and the question before a command changes what cannot be taken back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from lakehouse_assets.cli.failure import BAD_INPUT, stop
from lakehouse_assets.cli.output import Format

FIRST_DAY = date(2020, 1, 1)

AsFormat = Annotated[Format, typer.Option("--format", help="table for people, csv or json for programs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done; no byte is changed.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def agree(question: str, means: str, yes: bool, show: Callable[[], None] = lambda: None) -> None:
    """On a terminal it shows and asks; elsewhere only --yes is an answer, and `means` tells what to."""
    if yes:
        return
    if not sys.stdin.isatty():
        stop(f"{means}: give --yes, or --dry-run to see it", BAD_INPUT)
    show()
    typer.confirm(question, abort=True, err=True)


def moment(option: str, text: str | None) -> datetime | None:
    """A time of ISO 8601; one without a zone is in UTC."""
    return time_of(option, text) if text is not None else None


def time_of(option: str, text: str) -> datetime:
    """The same of what was given."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        stop(f"{option} {text!r} is not a time; times are written 2026-03-01T12:00:00Z", BAD_INPUT)
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def days_between(first: str | None, last: str | None) -> tuple[date, date]:
    """The days of a rebuild; one that is not given is the other one."""
    begin, end = _day("--from", first or last), _day("--to", last or first)
    if begin > end:
        stop(f"--from {begin} is after --to {end}; the first day comes first", BAD_INPUT)
    return begin, end


def _day(option: str, text: str | None) -> date:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    try:
        day = datetime.strptime(text or "", "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        stop(f"{option} {text!r} is not a day; days are written {tomorrow.isoformat()}", BAD_INPUT)
    if not FIRST_DAY <= day <= tomorrow:
        stop(f"{option} {day} is outside the days that there are: {FIRST_DAY} to {tomorrow}", BAD_INPUT)
    return day
