"""`lakehouse maintain`, `history` and `rollback`: the plan first, nothing without a yes, one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

from pyiceberg.catalog import Catalog

from lakehouse_assets.engines.iceberg.commit import commit, write_files
from tests.cli.conftest import Lakehouse


def _grow(held: Catalog, times: int) -> None:
    for _ in range(times):
        table = held.load_table("marts.days")
        commit(table, summary={}, added=write_files(table, table.scan().to_arrow().slice(0, 1)))


def _bytes(home: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in (home / "warehouse").rglob("*") if p.is_file()}


def test_a_dry_run_shows_the_plan_and_changes_no_byte(lakehouse: Lakehouse, held: Catalog, home: Path) -> None:
    _grow(held, 5)
    before = _bytes(home)
    shown = json.loads(lakehouse("maintain", "all", "--dry-run", "--format", "json").stdout)
    assert [(row["table"], row["kind"], row["files_before"]) for row in shown] == [("marts.days", "compact", 6)]
    assert _bytes(home) == before


def test_without_a_terminal_it_needs_a_yes(lakehouse: Lakehouse, held: Catalog, home: Path) -> None:
    _grow(held, 5)
    before = _bytes(home)
    refused = lakehouse("maintain", "compact")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert _bytes(home) == before
    done = json.loads(lakehouse("maintain", "compact", "--yes", "--format", "json").stdout)
    assert [(row["files_before"], row["files_after"]) for row in done] == [(6, 1)]
    assert json.loads(lakehouse("maintain", "all", "--format", "json").stdout) == []
    assert held.load_table("marts.days").scan().to_arrow().num_rows == 8


def test_an_unknown_table_or_kind_is_one_line_with_the_valid_ones(lakehouse: Lakehouse, held: Catalog) -> None:
    wrong = lakehouse("maintain", "compact", "--table", "marts.day")
    assert (wrong.exit_code, len(wrong.stderr.splitlines())) == (2, 1)
    assert "'marts.day'; there are marts.days, silver.nothing" in wrong.stderr
    assert lakehouse("maintain", "vacuum").exit_code == 2


def test_a_table_goes_back_to_a_listed_snapshot(lakehouse: Lakehouse, held: Catalog) -> None:
    _grow(held, 2)
    versions = json.loads(lakehouse("history", "marts.days", "--format", "json").stdout)
    assert [v["rows"] for v in versions] == [5, 4, 3]
    wanted = str(versions[2]["snapshot_id"])
    assert lakehouse("rollback", "marts.days", "--to", wanted).exit_code == 2
    assert lakehouse("rollback", "marts.days", "--to", wanted, "--dry-run").exit_code == 0
    assert held.load_table("marts.days").scan().to_arrow().num_rows == 5
    [done] = json.loads(lakehouse("rollback", "marts.days", "--to", wanted, "--yes", "--format", "json").stdout)
    assert (done["rows_before"], done["rows_after"]) == (5, 3)
    table = held.load_table("marts.days")
    assert table.scan().to_arrow().num_rows == 3
    assert table.scan(snapshot_id=table.metadata.refs[done["tag"]].snapshot_id).to_arrow().num_rows == 5
    unknown = lakehouse("rollback", "marts.days", "--to", "42", "--yes")
    assert (unknown.exit_code, len(unknown.stderr.splitlines())) == (2, 1)
    assert wanted in unknown.stderr


def test_a_table_that_fails_stops_no_other_and_is_told_at_the_end(
    lakehouse: Lakehouse, held: Catalog, home: Path
) -> None:
    _grow(held, 5)
    other = held.load_table("silver.nothing")
    damaged = Path(other.metadata_location.removeprefix("file://"))
    damaged.rename(damaged.with_suffix(".gone"))
    for words, shown in ((("--dry-run",), (6, None)), (("--yes",), (6, 1))):
        result = lakehouse("maintain", "all", "--format", "json", *words)
        assert [(row["files_before"], row["files_after"]) for row in json.loads(result.stdout)] == [shown]
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert result.stderr.startswith("lakehouse: failed: retain silver.nothing: ")
        assert damaged.name in result.stderr
        assert "marts.days" not in result.stderr
