"""The servers of the stack, one of each for the whole run; what they wrote last stands beside a failed test."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.server import Server

S = TypeVar("S", bound=Server)
_RUNNING = pytest.StashKey[list[Server]]()


@pytest.fixture(scope="session")
def servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, servers_folder: Path) -> Iterator[Kafka]:
    yield from _running(request, Kafka(servers_folder / "kafka"))


@pytest.fixture(scope="session")
def connect(request: pytest.FixtureRequest, servers_folder: Path, kafka: Kafka) -> Iterator[Connect]:
    yield from _running(request, Connect(servers_folder / "connect", kafka.bootstrap))


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, servers_folder: Path) -> Iterator[Postgres]:
    yield from _running(request, Postgres(servers_folder / "postgres"))


@pytest.fixture(scope="session")
def mariadb(request: pytest.FixtureRequest, servers_folder: Path) -> Iterator[MariaDB]:
    yield from _running(request, MariaDB(servers_folder / "mariadb"))


def _running(request: pytest.FixtureRequest, server: S) -> Iterator[S]:
    with server:
        request.config.stash.setdefault(_RUNNING, []).append(server)
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for server in item.config.stash.get(_RUNNING, []):
            report.sections.append((f"log of {server.name}", server.tail()))
    return report
