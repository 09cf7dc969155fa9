"""Writes what the compose files ask for and `.env` does not hold yet: random passwords, for the file's owner alone.

`make stack` calls it. What is there stays as it is. Where it stops: no server is told of a password that changes.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NEEDED = re.compile(r"\$\{([A-Z0-9_]+):\?\}|\{environment: ([A-Z0-9_]+)\}")


def needed(compose: str) -> list[str]:
    """The variables that a compose file cannot do without, by name."""
    return sorted({first or second for first, second in _NEEDED.findall(compose)})


def held(text: str) -> dict[str, str]:
    """The variables of an environment file."""
    lines = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value for name, value in lines}


def complete(text: str, names: Iterable[str]) -> str:
    """The file's text with a random value for each name that has none; letters and digits, which nothing must quote."""
    known = held(text)
    missing = [name for name in names if not known.get(name)]
    kept = [line for line in text.splitlines() if line.split("=", 1)[0].strip() not in missing]
    return "".join(f"{line}\n" for line in [*kept, *(f"{name}={secrets.token_hex(24)}" for name in missing)])


def write(path: Path, text: str) -> None:
    """Whole or not at all, and for its owner alone."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".env-")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(beside).replace(path)


def main() -> None:
    path = ROOT / ".env"
    before = path.read_text() if path.exists() else ""
    after = complete(before, needed("".join(file.read_text() for file in sorted(ROOT.glob("docker-compose*.yml")))))
    if after != before or path.stat().st_mode & 0o077:
        write(path, after)
        sys.stdout.write(f"wrote {path.name}: {len(held(after)) - len(held(before))} new passwords\n")


if __name__ == "__main__":
    main()
