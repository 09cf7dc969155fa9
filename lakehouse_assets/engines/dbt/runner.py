"""Runs dbt in this warm process: half a second instead of seven.

The manifest is read once and kept; dbt's events become plain results as they happen. Where it stops: which
models run is `plan.py`'s, what a result means to Dagster `vault/assets.py`'s.
"""

from __future__ import annotations

import json
import queue
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.schemas.manifest import WritableManifest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import GenericTestNode

from lakehouse_assets.engines.dbt.invocation import Invocation, active
from lakehouse_assets.engines.dbt.project import Outcome
from lakehouse_assets.mendable import Mendable

EMBEDDED = "embedded"
"""The target whose manifest `lakehouse sync` writes; every other one is Trino's."""


class DbtFailed(Mendable):
    """dbt could not do its work; the message holds the models that failed with their reasons."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one model or test; `failures` counts a test's failing rows."""

    unique_id: str
    outcome: Outcome
    message: str
    seconds: float
    failures: int | None = None

    @property
    def is_test(self) -> bool:
        return self.unique_id.startswith("test.")


def run(invocation: Invocation, target: str, home: Path) -> Iterator[NodeResult]:
    """Runs the invocation's models with their tests and yields each as it ends.

    Files of dbt go below `home`. Raises DbtFailed after the last result when a model failed or was skipped; a failing
    test is a result, not an error.
    """
    results: queue.SimpleQueue[NodeResult | None] = queue.SimpleQueue()
    ended: list[dbtRunnerResult] = []

    def observe(event: Any) -> None:
        if event.info.name == "NodeFinished":
            results.put(_result(event.data))

    def work() -> None:
        try:
            with active(invocation):
                ended.append(_invoke(invocation, target, home, observe))
        finally:
            results.put(None)

    thread = threading.Thread(target=work, name="dbt")
    thread.start()
    seen: list[NodeResult] = []
    try:
        while (result := results.get()) is not None:
            seen.append(result)
            yield result
    finally:
        thread.join()
    _raise_for(ended, seen)


def staging(home: Path) -> Path:
    """A private folder for the rows of one invocation; the caller removes it."""
    home.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="staged-", dir=home))


def invoke(project_dir: Path, home: Path, target: str, command: Sequence[str], manifest: Manifest | None = None,
           callbacks: Iterable[Any] = ()) -> dbtRunnerResult:  # fmt: skip
    """One dbt command without its logs, its statistics and any look at the network."""
    arguments = [
        *command,
        *("--project-dir", str(project_dir), "--profiles-dir", str(project_dir), "--target", target),
        *("--target-path", str(home / "target"), "--log-path", str(home / "logs")),
        *("--log-level", "none", "--log-level-file", "none", "--quiet"),
        *("--no-send-anonymous-usage-stats", "--no-version-check", "--no-use-colors", "--no-populate-cache"),
    ]
    try:
        return dbtRunner(manifest=manifest, callbacks=list(callbacks)).invoke(arguments)
    finally:
        # The environment outlives an invocation and would keep its views, and with them old lists of files.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def _invoke(invocation: Invocation, target: str, home: Path, observe: Any) -> dbtRunnerResult:
    names = [m.name for m in invocation.models] + [t.name for t in invocation.tests]
    variables = {"load_time": datetime.now(UTC).isoformat(), "staging": str(invocation.staging)}
    command = [
        *("build", "--select", *names, "--indirect-selection", "empty"),
        *("--vars", json.dumps(variables), "--no-write-json", "--no-partial-parse"),
    ]
    project = invocation.project
    try:
        if target != EMBEDDED:
            # Importing Trino's adapter takes what a lakehouse without servers does not install.
            from lakehouse_assets.engines.dbt.trino import prepare

            prepare(invocation.catalog, project)
            manifest = _parsed(project.folder, home, target, project.path.stat().st_mtime_ns)
        else:
            manifest = _manifest(project.path, project.path.stat().st_mtime_ns)
        return invoke(project.folder, home, target, command, manifest, [observe])
    finally:
        shutil.rmtree(invocation.staging, ignore_errors=True)


@cache
def _parsed(folder: Path, home: Path, target: str, _version: int) -> Manifest:
    """The same project with the macros and names of another engine than the synced manifest has."""
    parsed = invoke(folder, home, target, ["parse", "--no-write-json"])
    if not isinstance(parsed.result, Manifest):
        raise DbtFailed(str(parsed.exception)) from parsed.exception
    return parsed.result


@cache
def _manifest(path: Path, _version: int) -> Manifest:
    manifest = Manifest.from_writable_manifest(WritableManifest.read_and_check_versions(str(path)))
    for unique_id, node in json.loads(path.read_bytes())["nodes"].items():
        # A generic test comes back as a singular one, which lacks its arguments.
        if node.get("test_metadata"):
            manifest.nodes[unique_id] = GenericTestNode.from_dict(node)
    # The macros' `graph`: only parsing makes it, reading does not.
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    return manifest


def _result(data: Any) -> NodeResult:
    run = data.run_result
    unique_id = data.node_info.unique_id
    return NodeResult(
        unique_id,
        run.status,
        run.message,
        run.execution_time,
        run.num_failures if unique_id.startswith("test.") else None,
    )


def _raise_for(ended: Sequence[dbtRunnerResult], seen: Sequence[NodeResult]) -> None:
    if any(not r.is_test and r.outcome != "success" for r in seen):
        failed = [r for r in seen if r.outcome in ("error", "fail")]
        skipped = [_name(r) for r in seen if r.outcome == "skipped" and not r.is_test]
        reasons = [f"{_name(r)}: {r.message}" for r in failed]
        reasons += [str(r.exception) for r in ended if r.exception is not None and not failed]
        because = f"not run because of that: {', '.join(skipped)}"
        raise DbtFailed("; ".join([*reasons, because] if skipped else reasons))
    if not ended:
        raise DbtFailed("dbt ended without a result")
    if ended[0].exception is not None:
        raise DbtFailed(str(ended[0].exception)) from ended[0].exception


def _name(result: NodeResult) -> str:
    """`h_users` of `model.lakehouse.h_users`, also where a test's id ends in a hash."""
    return result.unique_id.split(".")[2]
