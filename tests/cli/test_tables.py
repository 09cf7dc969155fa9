"""`lakehouse tables` shows what the catalog holds."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from lakehouse_assets.cli import inventory
from lakehouse_assets.operations.overview import Checks, TableFacts
from tests.cli.conftest import Lakehouse


@pytest.mark.usefixtures("held")
def test_json_holds_the_facts_of_every_table(lakehouse: Lakehouse) -> None:
    rows = json.loads(lakehouse("tables", "--format", "json").stdout)
    assert [(r["layer"], r["table"], r["rows"], r["files"]) for r in rows] == [
        ("silver", "nothing", 0, 0),
        ("marts", "days", 3, 1),
    ]
    assert rows[0]["last_snapshot"] is None
    assert rows[1]["last_snapshot"].endswith("+00:00")
    assert rows[1]["bytes"] > 0


@pytest.mark.usefixtures("held")
def test_one_layer_can_be_chosen(lakehouse: Lakehouse) -> None:
    shown = lakehouse("tables", "--layer", "marts", "--format", "csv").stdout
    assert [row["table"] for row in csv.DictReader(io.StringIO(shown))] == ["days"]


@pytest.mark.parametrize("columns", ["80", "100"])
def test_no_name_is_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    name = "business_vault_of_27_letters"
    changed_at = datetime(2026, 1, 5, 10, 30, tzinfo=UTC)
    inventory.show([TableFacts("marts", name, 1_234_567, 12_345, 45_600_000, changed_at, Checks(123, 12, 7))])
    *_, line = capsys.readouterr().out.splitlines()
    assert line.split() == [name, "1,234,567", "12,345", "45.6", "MB", "01-05", "10:30", "123", "12", "7"]


def test_an_empty_lakehouse_has_no_tables(lakehouse: Lakehouse) -> None:
    assert json.loads(lakehouse("tables", "--format", "json").stdout) == []


def test_an_unknown_layer_is_answered_with_the_known_ones(lakehouse: Lakehouse) -> None:
    result = lakehouse("tables", "--layer", "golden")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'golden'" in result.stderr
    assert "bronze, silver, raw_vault, business_vault, marts, gold" in result.stderr
