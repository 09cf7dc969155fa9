"""How the command line fails: one line on stderr and an exit code, never a stack trace for what a user can mend.

0 is done, 1 a run or a check of error severity that failed, 2 input that was not understood, 130 Ctrl-C. Where it
stops: an error that nobody foresaw keeps its stack trace.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from lakehouse_assets.mendable import BadInput, Mendable

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


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
        except Mendable as error:
            stop(str(error), BAD_INPUT if isinstance(error, BadInput) else FAILED, leave=SystemExit)
        except Exception as error:
            from lakehouse_assets.operations.outside import explained

            if said := explained(error):
                stop(said, FAILED, leave=SystemExit)
            raise
        if code == INTERRUPTED:
            stop("interrupted; what was committed stays, and the same command goes on from there", code, SystemExit)
        raise SystemExit(code if isinstance(code, int) else 0)


def stop(message: str, code: int, leave: type[BaseException] = typer.Exit) -> NoReturn:
    """Prints the message as one line and ends the command."""
    typer.echo(f"lakehouse: {' '.join(message.split())}", err=True)
    raise leave(code)
