"""What every command promises: a help text with an example, and one line with exit code 2 for what it cannot take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse_assets.profiles import active
from tests.cli.conftest import Lakehouse

COMMANDS = (
    *("demo", "materialize", "run", "tables", "query", "events", "sync"),
    *("backfill", "reland", "skip-expired", "doctor", "metrics"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(lakehouse: Lakehouse, command: str) -> None:
    result = lakehouse(command, "--help")
    assert result.exit_code == 0
    assert f"Example: lakehouse {command}" in result.stdout


def test_help_names_every_command_and_the_exit_codes(lakehouse: Lakehouse) -> None:
    shown = lakehouse("--help").stdout
    assert [c for c in COMMANDS if f" {c} " not in shown] == []
    assert "Exit codes: 0 done; 1" in shown


def test_without_arguments_it_shows_the_help(lakehouse: Lakehouse) -> None:
    shown = lakehouse()
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, lakehouse("--help").stdout, "")


def test_help_imports_no_engine(home: Path) -> None:
    heavy = {"dagster", "dbt", "pyiceberg", "pyarrow", "duckdb", "chdb", "clickhouse_connect", "pydantic"}
    code = f"""
import sys
from lakehouse_assets.cli.main import app
try:
    app(["--help"])
except SystemExit:
    print(sorted({heavy!r} & sys.modules.keys()), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("materialise",), ("'materialise'", "'materialize'")),
        (("serf",), ("'serf'", ", ".join(COMMANDS))),
        (("materialize", "*", "--from", "yesterday"), ("--from 'yesterday'", "days are written")),
        (("materialize", "*", "--from", "2026-2-30"), ("--from '2026-2-30'",)),
        (("materialize", "*", "--from", "2026-01-02", "--to", "2026-01-01"), ("2026-01-02", "2026-01-01")),
        (("materialize", "*", "--from", "2019-12-31"), ("2019-12-31", "2020-01-01")),
        (("materialize", "*", "--from", "2026-01-01", "--to", "2999-01-01"), ("--to 2999-01-01", "2020-01-01")),
        (("tables", "--format", "xml"), ("xml", "table", "csv", "json")),
        (("tables", "--nonsense"), ("--nonsense",)),
        (("query",), ("'sql'",)),
        (("query", "select 1", "--engine", "oracle"), ("oracle", "duckdb", "clickhouse")),
        (("query", "select 1", "--limit", "many"), ("--limit", "integer")),
        (("events", "--rate", "0"), ("--rate", "0.001")),
        (("events", "--count", "0"), ("--count", "greater than or equal to 1")),
        (("events", "--count", "1", "--duration", "1"), ("--count", "--duration")),
        (("events", "--count", "10000000", "--rate", "0.1"), ("10000000", "more than a day ahead")),
    ],
)
def test_bad_input_is_one_line_that_names_it(
    lakehouse: Lakehouse, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    result = lakehouse(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("lakehouse: ")
    assert result.stderr.count("\n") == 1
    assert [text for text in said if text not in result.stderr] == []


@pytest.mark.parametrize("command", [("tables",), ("query", "select 1"), ("events", "--count", "1"), ("materialize",)])
@pytest.mark.parametrize(
    ("setting", "said"),
    [(("LAKEHOUSE_PROFILE", "cloud"), ("cloud", "embedded", "stack")), (("LAKEHOUSE_HOMES", "x"), ("LAKEHOUSE_HOME",))],
)
def test_a_wrong_setting_is_named_with_the_valid_ones(
    lakehouse: Lakehouse,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    setting: tuple[str, str],
    said: tuple[str, ...],
) -> None:
    monkeypatch.setenv(*setting)
    active.settings.cache_clear()
    result = lakehouse(*command)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert [text for text in (setting[0], *said) if text not in result.stderr] == []


def test_output_that_is_no_terminal_has_no_colours(home: Path) -> None:
    command = [sys.executable, "-m", "lakehouse_assets.cli.main", "events", "--count", "10"]
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "CLICOLOR_FORCE")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout + done.stderr
    assert "10 events written" in done.stdout


@pytest.mark.parametrize("selection", ["group:golden", "silver/nothing", "key:(", "silver/bank_users++)"])
def test_an_unknown_selection_is_answered_with_the_layers(lakehouse: Lakehouse, selection: str) -> None:
    result = lakehouse("materialize", selection)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert repr(selection) in result.stderr
