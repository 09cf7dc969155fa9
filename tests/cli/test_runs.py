"""`lakehouse demo` and `lakehouse materialize` over one small lakehouse, which the demo filled.

Every test brings the news that it wants to see taken, and leaves nothing broken behind.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lakehouse_assets.cli.main import app
from lakehouse_assets.cli.session import open_instance
from lakehouse_assets.operations import samples
from tests.cli.conftest import Lakehouse, home_at

EVENTS = "key:bronze/clickstream_user_events+1"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """LAKEHOUSE_HOME, where the demo has the bank's recordings, a week of retail and a few hundred events."""
    with home_at(tmp_path_factory.mktemp("demo")) as path, pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "CAPTURES", ("bank-string",))
        patch.setattr(samples, "EVENTS", 400)
        patch.setattr(samples, "DAYS", 4)
        patch.setattr(samples, "RETAIL_DAYS", 7)
        patch.setattr(samples, "TRAFFIC", samples.Traffic(rate=400 / (4 * 86_400), dead=0.02, rejected=0.02))
        yield path


@pytest.fixture(scope="module")
def demo(home: Path) -> Result:
    return CliRunner().invoke(app, ["demo"])


@pytest.fixture
def filled(demo: Result, lakehouse: Lakehouse) -> Lakehouse:
    """The command over a home that the demo filled."""
    assert demo.exit_code == 0, demo.stderr
    return lakehouse


def _runs() -> int:
    with open_instance() as instance:
        return instance.get_runs_count()


def _says_one_line(result: Result, *parts: str) -> None:
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.stderr
    assert result.stderr.startswith("lakehouse: ")
    assert [part for part in parts if part not in result.stderr] == []
    assert "Traceback" not in result.stderr + result.stdout


def test_the_demo_fills_each_source_and_shows_every_layer(demo: Result) -> None:
    assert (demo.exit_code, demo.stderr) == (0, "")
    assert "sources: 0 " not in demo.stdout
    assert " 0 user events" not in demo.stdout
    for layer in ("bronze", "silver", "raw_vault", "business_vault", "marts", "gold"):
        assert f"\n{layer} " in demo.stdout
    assert "Try next:" in demo.stdout
    assert re.fullmatch(r"\d+ s, [\d.]+ [MG]B at most", demo.stdout.splitlines()[-1])


def test_no_name_is_cut_at_80_columns(demo: Result) -> None:
    assert "…" not in demo.stdout
    assert max(len(line.rstrip()) for line in demo.stdout.split("Try next:")[0].splitlines()) <= 80


def test_a_second_demo_lands_nothing_and_runs_nothing(filled: Lakehouse) -> None:
    before = _runs()
    again = filled("demo")
    assert again.exit_code == 0
    assert "sources: 0 recorded changes, 0 user events and 0 CSV files added" in again.stdout
    assert "nothing is new" in again.stdout
    assert _runs() == before


def test_what_is_new_is_summed_up_and_then_nothing_is(filled: Lakehouse) -> None:
    filled("events", "--count", "40", "--rate", "100")
    result = filled("materialize", f"{EVENTS} or key:marts/daily_active_users")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[:2] for line in result.stdout.splitlines()[:4]] == [
        ["layer", "built"],
        ["bronze", "1"],
        ["silver", "1"],
        ["marts", "1"],
    ]
    assert f"days {datetime.now(UTC):%Y-}" in result.stdout
    before = _runs()
    again = filled("materialize", f"{EVENTS} or key:marts/daily_active_users")
    assert (again.exit_code, again.stdout) == (0, "nothing is new: every asset is up to date\n")
    assert _runs() == before


def test_json_names_runs_assets_and_checks(filled: Lakehouse) -> None:
    filled("events", "--count", "40", "--rate", "100")
    told = json.loads(filled("materialize", EVENTS, "--format", "json").stdout)
    assert (told["success"], len(told["runs"]), told["errors"]) == (True, 1, [])
    assert [(a["asset"], a["ended"]) for a in told["assets"]] == [
        ("bronze/clickstream_user_events", "built"),
        ("silver/clickstream_user_events", "built"),
    ]
    assert all(asset["rows"] > 40 for asset in told["assets"])
    rows_accounted = {"asset": EVENTS[4:-2].replace("bronze", "silver"), "check": "every_row_is_accounted"}
    assert {**rows_accounted, "ended": "passed"} in told["checks"]
    nothing = json.loads(filled("materialize", EVENTS, "--format", "json").stdout)
    assert (nothing["success"], nothing["runs"], nothing["assets"], nothing["checks"]) == (True, [], [], [])


def test_a_rebuild_says_which_days(filled: Lakehouse, home: Path) -> None:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    result = filled("materialize", "silver/clickstream_user_events", "--from", day, "--to", day)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f"; days {day}\n")


def test_a_backfill_shows_its_plan_first_and_needs_a_yes(filled: Lakehouse, home: Path) -> None:
    filled("materialize")  # of what the tests before this one left to be built
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    words = ("backfill", "silver/clickstream_user_events", "--from", day, "--to", day)
    before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file() and p.is_relative_to(home / "warehouse")}
    shown = json.loads(filled(*words, "--dry-run", "--format", "json").stdout)
    assert (shown["days"], shown["steps_done"]) == (1, 0)
    assert {"silver/clickstream_user_events", "marts/daily_active_users", "gold/daily_active_users"} <= {
        *shown["assets"]
    }
    [held] = [table for table in shown["tables"] if table["table"] == "silver.clickstream_user_events"]
    assert min(held["rows"], held["files"]) > 0
    refused = filled(*words)
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert before == {p: p.read_bytes() for p in before}
    done = json.loads(filled(*words, "--yes", "--format", "json").stdout)
    assert (done["success"], {(t["rows_before"] - t["rows_after"], t["rows_changed"]) for t in done["tables"]}) == (
        True,
        {(0, 0)},
    )


def test_a_run_writes_no_warning_of_dagster(filled: Lakehouse, home: Path) -> None:
    filled("events", "--count", "40", "--rate", "100")
    command = [sys.executable, "-m", "lakehouse_assets.cli.main", "materialize", EVENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stderr, "done; runs " in done.stdout) == ("", True)


def test_a_failing_step_is_named_on_one_line(filled: Lakehouse, home: Path) -> None:
    log = home / "events" / "bank.public.users" / "0.jsonl"
    size = log.stat().st_size
    with log.open("ab") as file:
        file.write(b"{ this is no message\n")
    result = filled("materialize", "bronze/bank_users")
    with log.open("r+b") as file:
        file.truncate(size)
    _says_one_line(result, "failed: bronze/bank_users: ", "0.jsonl")
    assert filled("materialize", "bronze/bank_users").exit_code == 0


def test_a_failing_check_of_error_severity_is_named_on_one_line(filled: Lakehouse, home: Path) -> None:
    folder = home / "files" / "retail" / "products"
    header = min(folder.glob("*.csv")).read_text().splitlines()[0]
    (folder / "wrong.csv").write_text(f"{header}\n" + "".join(f"{n},x,y,-1,1\n" for n in range(9_000, 9_900)))
    result = filled("materialize", "key:bronze/retail_products+1")
    _says_one_line(result, "check silver/retail_products: rejects_stay_below_the_threshold")
    assert "failed; runs " in result.stdout


def test_without_a_source_nothing_runs(filled: Lakehouse, home: Path) -> None:
    before = _runs()
    (home / "events").rename(home / "elsewhere")
    result = filled("materialize")
    (home / "elsewhere").rename(home / "events")
    _says_one_line(result, "event log cannot be used", "lakehouse events", "not run: bronze/")
    assert (result.stdout, _runs()) == ("", before)


def test_without_a_catalog_nothing_runs(tmp_path: Path) -> None:
    with home_at(tmp_path) as other:
        (other / "events").mkdir()
        (other / "catalog.db").write_bytes(b"this is no database" * 100)
        result = CliRunner().invoke(app, ["materialize"])
    _says_one_line(result, "catalog cannot be used: ", "file is not a database")
    assert result.stdout == ""
