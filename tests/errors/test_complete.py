"""Every error that a person can mend is in a row, and every other error of the project has a reason not to be one."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import lakehouse_assets
from lakehouse_assets.mendable import BadInput, Mendable
from tests.errors import test_backups, test_bad_input, test_what_breaks, test_what_is_gone

ROWS = (*test_backups.ROWS, *test_bad_input.ROWS, *test_what_breaks.ROWS, *test_what_is_gone.ROWS)

ELSEWHERE = {
    "DatabaseError": "needs a Connect that answers: tests/stack",
    "DbtFailed": "needs a model that fails: tests/vault, tests/schema_evolution",
    "Mismatch": "needs a ClickHouse that loads wrongly: tests/engines/clickhouse",
    "NoOwner": "takes as long as an owner is waited for",
    "NoSpark": "needs an installation without the extra: tests/engines/test_spark_session.py",
    "SlotInUse": "needs a PostgreSQL: tests/stack",
    "UnreachableStorage": "needs a warehouse that is neither in S3 nor in files",
}
"""Why the row is not here."""

DOCTOR = "`lakehouse doctor` tells it in the row of its service"
INTERNAL = {
    "EngineError": "ClickHouse's owner process answers with it, and the client raises its own",
    "MayNot": DOCTOR,
    "NoCatalog": DOCTOR,
    "NoSpace": DOCTOR,
    "NotRunning": DOCTOR,
    "Refused": "in the owner process; of `lakehouse query` it is a BadInput",
    "RowsDiffer": "a rewrite that lost a row is a fault of the project",
    "StillStarting": DOCTOR,
    "TooYoung": "no command gives an age",
    "UnknownModel": "no command takes a model's name",
    "WrongPackages": DOCTOR,
}
"""Why nobody can cause it from outside."""


def _classes() -> Iterator[type[BaseException]]:
    for module in pkgutil.walk_packages(lakehouse_assets.__path__, "lakehouse_assets."):
        for held in vars(importlib.import_module(module.name)).values():
            if isinstance(held, type) and issubclass(held, Exception) and held.__module__ == module.name:
                yield held


def test_every_error_that_a_person_can_mend_is_in_a_row() -> None:
    public = {c for c in _classes() if not c.__name__.startswith("_")} - {Mendable, BadInput}
    mendable = {c for c in public if issubclass(c, Mendable)}
    shown = {row.error for row in ROWS}
    assert sorted(c.__name__ for c in mendable - shown if c.__name__ not in ELSEWHERE) == []


def test_every_other_error_has_a_reason() -> None:
    others = {c.__name__ for c in _classes() if not issubclass(c, Mendable)}
    assert sorted(others - INTERNAL.keys()) == []


def test_a_bad_input_is_exit_code_2_and_nothing_else_is() -> None:
    rows = [row for row in ROWS if row.error is not None]
    assert [row.does for row in rows if (row.code == 2) != issubclass(row.error or Mendable, BadInput)] == []


def test_no_bare_runtime_error_is_raised() -> None:
    """A RuntimeError or an Exception without a name of its own is a stack trace for whoever caused it."""
    found = [
        f"{path.name}: {node.lineno}"
        for path in Path(lakehouse_assets.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
        if node.exc.func.id in ("RuntimeError", "Exception", "LookupError", "KeyError")
    ]
    inside_dbt = ("plugin.py", "trino.py")  # which makes its own line of it
    assert [place for place in found if not place.startswith(inside_dbt)] == []
