"""The JDKs of this machine: programs of newer Java than `java` on the PATH find theirs.

Where it stops: none is installed from here; what is missing is an InstallError that says what to do.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from .cache import InstallError

_INSTALLED = (
    "/usr/lib/jvm/*",
    "/opt/*",
    "/opt/java/*",
    "~/.sdkman/candidates/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
)


def java_home(what: str, at_least: int) -> Path:
    """The oldest JDK that is new enough: what was tried is nearest to it. Raises InstallError, for `what` needs it."""
    versions = {home: version for home in _homes() if (version := _version(home)) is not None}
    fitting = {home: version for home, version in versions.items() if version >= at_least}
    if not fitting:
        found = ", ".join(f"{version} in {home}" for home, version in versions.items()) or "none"
        raise InstallError(
            f"{what}: it needs a JDK {at_least} or newer, found {found}; install one and set JAVA_HOME to it"
        )
    return min(fitting, key=lambda home: (fitting[home], str(home)))


def _homes() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home)
    if java := shutil.which("java"):
        yield Path(java).resolve().parent.parent
    for pattern in _INSTALLED:
        folder, _, rest = pattern.partition("*")
        yield from sorted(Path(folder).expanduser().glob(f"*{rest}"))


def _version(home: Path) -> int | None:
    """By the file `release` that every JDK has in its home."""
    release = home / "release"
    if not (home / "bin" / "java").exists() or not release.exists():
        return None
    found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release.read_text(), re.MULTILINE)
    return int(found[1]) if found else None
