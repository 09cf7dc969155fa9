"""The configuration in `deploy/` that docker-compose mounts: the servers of the tests start from the same files."""

from __future__ import annotations

from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def variables(file: str) -> dict[str, str]:
    """The variables of an environment file of `deploy/`."""
    lines = (DEPLOY / file).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
