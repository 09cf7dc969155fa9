"""Java programs from Maven Central: folders of jars, and archives that are unpacked; both with a pinned checksum.

Where it stops: Maven resolves and downloads, through whatever mirror it is configured for.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .cache import InstallError, cache, file_digest, folder_digest, kept, verify


def jars(name: str, artifacts: Sequence[str], sha256: str) -> Path:
    """A folder with `artifacts` (`group:artifact:version[:classifier]`) and all that they need at run time."""

    def make(folder: Path) -> None:
        pom = folder / "pom.xml"
        pom.write_text(_pom(artifacts))
        _maven(name, "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime", _into(folder))
        pom.unlink()
        verify(name, folder_digest(folder), sha256)

    return kept(name, make)


def archive(name: str, artifact: str, sha256: str, trim: Callable[[Path], None] | None = None) -> Path:
    """The unpacked archive `group:artifact:version:type[:classifier]`; `trim` removes what is not needed."""

    def make(folder: Path) -> None:
        _maven(name, "dependency:copy", f"-Dartifact={artifact}", _into(folder))
        [packed] = folder.iterdir()
        verify(name, file_digest(packed), sha256)
        with tarfile.open(packed) as tar:
            tar.extractall(folder, filter="data")
        packed.unlink()
        if trim is not None:
            trim(folder)

    return kept(name, make)


def _into(folder: Path) -> str:
    return f"-DoutputDirectory={folder}"


def _maven(name: str, *arguments: str) -> None:
    if shutil.which("mvn") is None:
        raise InstallError(f"{name}: there is no mvn; install Maven and a JDK")
    command = ["mvn", "-B", "-q", f"-Dmaven.repo.local={cache() / 'maven'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallError(f"{name}: Maven could not fetch it:\n{done.stdout[-2000:]}{done.stderr[-500:]}")


def _pom(artifacts: Sequence[str]) -> str:
    wanted = "".join(_dependency(*artifact.split(":")) for artifact in artifacts)
    return (
        "<project><modelVersion>4.0.0</modelVersion><packaging>pom</packaging>"
        "<groupId>lakehouse</groupId><artifactId>server</artifactId><version>1</version>"
        f"<dependencies>{wanted}</dependencies></project>"
    )


def _dependency(group: str, artifact: str, version: str, classifier: str = "") -> str:
    only = f"<classifier>{classifier}</classifier>" if classifier else ""
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version>{only}</dependency>"
    )
