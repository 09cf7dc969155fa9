"""How the command line fails: one line on stderr and an exit code, never a stack trace for what a user can mend.

0 is done, 1 a run or a check of error severity that failed, 2 input that was not understood. Where it stops: an error
that nobody foresaw keeps its stack trace.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

FAILED = 1
BAD_INPUT = 2

Errors = tuple[type[BaseException], ...]


class OneLineErrors(TyperGroup):
    """A command group that reports what it cannot parse on one line."""

    def main(self, args: Sequence[str] | None = None, *_: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        # Without arguments it shows the same as with --help.
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(given, standalone_mode=False, **extra)
        except typer.TyperException as error:
            message = error.format_message()
            group = getattr(getattr(error, "ctx", None), "command", self)
            known = ", ".join(getattr(group, "commands", self.commands))
            there_are = f" There are: {known}" if message.startswith("No such command") else ""
            stop(message + there_are, BAD_INPUT, leave=SystemExit)
        except typer.Abort:
            raise SystemExit(FAILED) from None
        raise SystemExit(code if isinstance(code, int) else 0)


def stop(message: str, code: int, leave: type[BaseException] = typer.Exit) -> NoReturn:
    """Prints the message as one line and ends the command."""
    typer.echo(f"lakehouse: {' '.join(message.split())}", err=True)
    raise leave(code)


@contextmanager
def reported(bad_input: Errors = (), failed: Errors = ()) -> Iterator[None]:
    """Turns the named errors into their line and exit code."""
    try:
        yield
    except bad_input as error:
        stop(str(error), BAD_INPUT)
    except failed as error:
        stop(str(error), FAILED)
