"""Where the dbt project lies, and how its manifest and column lineage are made.

`lakehouse sync` calls `parse`; definitions and runs only read what it wrote below dbt_project/target.
Where it stops: dbt compiles here without a table or server to look at.
"""

from __future__ import annotations

import json
from pathlib import Path

from lakehouse_assets.engines.dbt.project import Project, load
from lakehouse_assets.vault.lineage import trace

PROJECT_DIR = Path(__file__).resolve().parents[2] / "dbt_project"
MANIFEST = "target/manifest.json"
LINEAGE = "target/lineage.json"


def parse(project_dir: Path = PROJECT_DIR, target: str = "embedded") -> Path:
    """Writes target/manifest.json and target/lineage.json and returns the manifest's path. Raises DbtFailed."""
    # Importing dbt's command takes a second that reading definitions must not.
    from lakehouse_assets.engines.dbt.runner import DbtFailed, invoke

    ended = invoke(project_dir, project_dir, target, ["compile", "--no-introspect", "--no-partial-parse"])
    if ended.exception is not None:
        raise DbtFailed(str(ended.exception)) from ended.exception
    failed = [r for r in getattr(ended.result, "results", []) if r.status not in ("success", "pass")]
    if failed:
        raise DbtFailed("; ".join(f"{r.node.name}: {r.message}" for r in failed))
    project = load(project_dir, project_dir / MANIFEST)
    (project_dir / LINEAGE).write_text(json.dumps(trace(project.manifest), indent=1), "utf-8")
    return project.path


def project(project_dir: Path = PROJECT_DIR) -> Project:
    """The project as of the last sync. Raises NotSynced."""
    return load(project_dir, project_dir / MANIFEST)
