"""What each session of `make chaos` did, kept beside the report, so that a later one can go on where it ended.

Where it stops: what it says in words is `report`'s.
"""

from __future__ import annotations

import platform
import subprocess
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, Field, RootModel

from tests.chaos.run import Done
from tests.histories.tally import Tally

_LIBRARIES = ("duckdb", "pyiceberg", "pyarrow", "dbt-core")


def _versions() -> dict[str, str]:
    return {"Python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _commit() -> str:
    asked = subprocess.run(["git", "describe", "--always", "--dirty"], check=True, capture_output=True, text=True)
    return asked.stdout.strip()


class Difference(BaseModel):
    job: str
    seed: int
    said: str


class Session(BaseModel):
    """`seed` is the next one that no job had; `happened` and `histories` are a Tally's."""

    cores: int
    first_seed: int
    seed: int
    begun: datetime = Field(default_factory=lambda: datetime.now(UTC))
    minutes: float = 0
    commit: str = Field(default_factory=_commit)
    versions: dict[str, str] = Field(default_factory=_versions)
    jobs: Counter[str] = Field(default_factory=Counter)
    happened: Counter[str] = Field(default_factory=Counter)
    histories: Counter[str] = Field(default_factory=Counter)
    differences: list[Difference] = Field(default_factory=list)

    @property
    def tally(self) -> Tally:
        return Tally(self.happened, self.histories)

    def add(self, done: Done) -> None:
        self.minutes = round((datetime.now(UTC) - self.begun).total_seconds() / 60, 1)
        self.seed = max(self.seed, done.seed + 1)
        self.jobs[done.name] += 1
        self.happened += done.tally.happened
        self.histories += done.tally.histories
        if done.difference:
            self.differences.append(Difference(job=done.name, seed=done.seed, said=done.difference))


class Sessions(RootModel[list[Session]]):
    """Oldest first."""

    def write(self, path: Path) -> None:
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @property
    def played(self) -> int:
        return sum(session.histories["history"] for session in self.root)


def read(path: Path) -> Sessions:
    """None where there is no such file."""
    return Sessions.model_validate_json(path.read_text("utf-8")) if path.exists() else Sessions([])
