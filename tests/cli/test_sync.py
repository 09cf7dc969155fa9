"""`lakehouse sync --check` in a copy of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """What the check reads: the package, the dbt project with its manifest, the snapshot of the graph."""
    for part in ("lakehouse_assets", "dbt_project"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / "tests").mkdir()
    shutil.copy2(ROOT / "tests" / "asset_graph.txt", tmp_path / "tests")
    return tmp_path


def _check(copied: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copied), "LAKEHOUSE_HOME": str(copied / "home")}
    command = [sys.executable, "-m", "lakehouse_assets.cli.main", "sync", "--check"]
    return subprocess.run(command, cwd=copied, env=environment, capture_output=True, text=True, check=False)


def test_a_stale_file_is_named_and_left_as_it_is(copied: Path) -> None:
    source = copied / "dbt_project" / "models" / "silver.yml"
    edited = source.read_text("utf-8").replace("bank_users", "bank_clients")
    source.write_text(edited, "utf-8")
    done = _check(copied)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "dbt_project/models/silver.yml" in done.stderr
    assert "asset_graph" not in done.stderr
    assert source.read_text("utf-8") == edited
