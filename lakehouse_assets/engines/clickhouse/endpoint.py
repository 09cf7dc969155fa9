"""`owner.json`: where the owner of the embedded engine listens, and the two secrets that open it.

Written by the owner by rename, so that a reader sees all of it or nothing; readable by its user only.
Where it stops: whether the owner still lives is for `client` to find out.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

HOST = "127.0.0.1"
OWNER = "owner"
READER = "reader"


@dataclass(frozen=True)
class Endpoint:
    """`token` is the password of user `owner`, `reader_token` that of user `reader`."""

    port: int
    pid: int
    token: str
    reader_token: str

    def __repr__(self) -> str:
        return f"Endpoint(port={self.port}, pid={self.pid})"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def credentials(self, read_only: bool) -> tuple[str, str]:
        """User name and password."""
        return (READER, self.reader_token) if read_only else (OWNER, self.token)


def folder(home: Path) -> Path:
    """Where the engine keeps its data, its lock and `owner.json`."""
    return home / "clickhouse"


def lock_file(home: Path) -> Path:
    """Held by the owner as long as it lives."""
    return folder(home) / "owner.lock"


def read(home: Path) -> Endpoint | None:
    """What the last owner wrote; None where there is none, or another version's file."""
    try:
        return Endpoint(**json.loads(_path(home).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


def write(home: Path, endpoint: Endpoint) -> None:
    handle, temporary = tempfile.mkstemp(dir=folder(home), prefix="owner-")  # mkstemp makes it 0600
    with os.fdopen(handle, "w") as file:
        json.dump(asdict(endpoint), file)
    Path(temporary).replace(_path(home))


def remove(home: Path) -> None:
    _path(home).unlink(missing_ok=True)


def _path(home: Path) -> Path:
    return folder(home) / "owner.json"
