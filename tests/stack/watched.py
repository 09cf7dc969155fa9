"""The servers that run: what each wrote last stands beside a test that failed."""

from __future__ import annotations

import pytest

from tests.servers.server import Server

_RUNNING = pytest.StashKey[list[Server]]()


def watch(config: pytest.Config, *servers: Server | None) -> None:
    config.stash.setdefault(_RUNNING, []).extend(server for server in servers if server is not None)


def watched(config: pytest.Config) -> list[Server]:
    return config.stash.get(_RUNNING, [])
