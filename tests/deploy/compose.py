"""docker-compose.yml as compose reads it, and what each service is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
OVERLAY = ROOT / "docker-compose.secure.yml"
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(:\?)?[^}]*\}")


@cache
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


class _Overlay(yaml.SafeLoader):
    """Knows `!override` and `!reset`, with which an overlay takes the place of a value or takes it away."""


_Overlay.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))
_Overlay.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))


@cache
def overlay() -> dict[str, Any]:
    return dict(yaml.load(OVERLAY.read_text(), _Overlay))  # of the project itself


def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def environment(service: str, values: dict[str, str] | None = None) -> dict[str, str]:
    """What a service's processes see, its files of variables included; `values` are those of `.env`."""
    told = services()[service]
    files = "\n".join((ROOT / name).read_text() for name in told.get("env_file", ()))
    known = dict(line.split("=", 1) for line in files.splitlines() if line and not line.startswith("#"))
    given = values or {}
    own = {
        name: VARIABLE.sub(lambda found: given.get(found[1], "x"), value)
        for name, value in told.get("environment", {}).items()
    }
    return {**known, **own}


def mounts(service: str) -> Iterator[tuple[str, str]]:
    """What is mounted and where: a named volume, or a path that begins with `./`."""
    for volume in services()[service].get("volumes", ()):
        origin, place = volume.split(":")[:2]
        yield origin, place


def texts(value: object) -> Iterator[str]:
    """Every text inside."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from texts(key)
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)
        case str():
            yield value
