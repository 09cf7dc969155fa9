"""Loading the code location is cheap and touches nothing: the UI does it in every process that it starts.

Each claim is tried in a Python of its own, under both profiles, with addresses that nobody answers at.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.vault import manifest

ROOT = Path(__file__).resolve().parent.parent
PROFILES = {
    "embedded": {},
    "stack": {
        "LAKEHOUSE_KAFKA_BOOTSTRAP_SERVERS": "kafka.invalid:9092",
        "LAKEHOUSE_CATALOG_URI": "http://catalog.invalid:8181",
        "LAKEHOUSE_WAREHOUSE": "s3://warehouse",
        "LAKEHOUSE_CLICKHOUSE_HOST": "clickhouse.invalid",
    },
}
MODULES = (".py", ".pyc", ".so", ".zip", ".dist-info/METADATA")
"""What importing opens."""

OBSERVE = """
import json, sys
import dagster, dagster_dbt

WATCHED = {"open", "sqlite3.connect", "os.mkdir", "os.remove", "os.rename", "os.fork", "os.exec", "os.posix_spawn"}
heard = []

def hear(event, arguments):
    if event in WATCHED or event.startswith(("socket.", "subprocess.", "os.system")):
        heard.append((event, str(arguments[0]) if arguments else ""))

sys.addaudithook(hear)
from lakehouse_assets.definitions import lakehouse
lakehouse()
print(json.dumps(heard))
"""

MEASURE = """
import gc, json, time
began = time.process_time()
import dagster, dagster_dbt
gc.collect()  # what their import leaves behind is theirs
imported = time.process_time()
from lakehouse_assets.definitions import lakehouse
lakehouse()
print(json.dumps([imported - began, time.process_time() - imported]))
"""


def _python(code: str, home: Path, profile: str, **more: str) -> Any:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAKEHOUSE_", "DAGSTER_", "PYTHON"))}
    settings = {"LAKEHOUSE_HOME": str(home), "LAKEHOUSE_PROFILE": profile, **PROFILES[profile], **more}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=kept | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("profile", PROFILES)
def test_loading_the_definitions_opens_the_synced_manifest_and_nothing_else(tmp_path: Path, profile: str) -> None:
    heard = _python(OBSERVE, tmp_path / "home", profile, PYTHONDONTWRITEBYTECODE="1")
    assert [(event, name) for event, name in heard if not (event == "open" and name.endswith(MODULES))] == [
        ("open", str(manifest.PROJECT_DIR / manifest.MANIFEST))
    ]
    assert list(tmp_path.iterdir()) == []


def test_loading_the_definitions_adds_less_than_half_of_what_importing_dagster_takes(tmp_path: Path) -> None:
    """Seconds of this process' own CPU time, best of three; all code is compiled before it counts."""
    runs = [_python(MEASURE, tmp_path / "home", "embedded") for _ in range(4)][1:]
    shares = [added / imported for imported, added in runs]
    assert min(shares) < 0.5, f"added {runs}"
