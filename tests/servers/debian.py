"""Servers from Debian's packages, installed where they are missing and we may.

Where it stops: the package's own service is not used; each server has its own configuration, data and port.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

from .cache import InstallError, cache


def program(name: str, package: str, folder: str = "/usr/sbin") -> str:
    """The path of a server's program; `package` is installed where it is missing."""
    cache().mkdir(parents=True, exist_ok=True)
    with FileLock(cache() / ".apt.lock"):
        if (found := _found(name, folder)) is None:
            _install(package)
            found = _found(name, folder)
    if found is None:
        raise InstallError(f"{package}: it was installed, but there is no {name} in {folder} nor on the PATH")
    return found


def _found(name: str, folder: str) -> str | None:
    return shutil.which(name, path=f"{folder}:{os.environ['PATH']}")


def _install(package: str) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise InstallError(f"{package}: it is not installed; run `apt-get install {package}` as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
    for command in (install, ["apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if command is install and done.returncode == 0:
            return
    raise InstallError(f"{package}: apt-get could not install it:\n{done.stdout[-500:]}{done.stderr[-1500:]}")


def own(folder: Path, user: str) -> None:
    """Give a folder to the user that a server runs as, where we are root."""
    if os.geteuid() == 0:
        shutil.chown(folder, user, user)
