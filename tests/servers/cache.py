"""The folder that keeps what was installed for the servers: each thing is made once, whole or not at all.

Where it stops: what is put there is `maven`'s; Debian's packages go where Debian puts them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

VARIABLE = "TEST_SERVERS_CACHE"


class InstallError(RuntimeError):
    """A server could not be installed; the message names it and what to do."""


def cache() -> Path:
    """`$TEST_SERVERS_CACHE`, or a folder of the user's own cache."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/lakehouse-assets").expanduser()


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `make` fills it where it is not there yet."""
    folder = cache() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not folder.exists():
            beside = folder.with_name(f".{folder.name}.new")
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            make(beside)
            beside.rename(folder)
    return folder


def verify(subject: str, found: str, expected: str) -> None:
    if found != expected:
        raise InstallError(f"{subject}: its checksum is {found}, expected {expected}; the registry served another file")


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """One SHA-256 of the names and contents of a folder's files."""
    lines = [f"{file_digest(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
