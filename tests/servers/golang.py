"""Go programs, built once from a module of a pinned checksum; the module's own go.sum pins what it needs.

Where it stops: Go resolves and downloads, through whatever proxy it is configured for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from .cache import InstallError, kept, verify


def built(name: str, package: str, module: str, version: str, checksum: str) -> Path:
    """The program of `package`, a folder of `module` or the module itself; `checksum` is go.sum's of the module."""

    def make(folder: Path) -> None:
        downloaded = _go(name, folder, "mod", "download", "-json", f"{module}@{version}")
        verify(name, json.loads(downloaded)["Sum"], checksum)
        _go(name, folder, "install", f"{package}@{version}")

    return kept(f"{name}-{version}", make) / Path(package).name


def _go(name: str, folder: Path, *arguments: str) -> str:
    if shutil.which("go") is None:
        raise InstallError(f"{name}: there is no go; install Go to build it")
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
    done = subprocess.run(["go", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallError(f"{name}: Go could not build it:\n{done.stdout[-500:]}{done.stderr[-2000:]}")
    return done.stdout
