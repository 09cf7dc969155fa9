"""The servers of the stack, one of each for the whole run; what they wrote last stands beside a failed test."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pyspark.sql import SparkSession

from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.profiles.stack import open_spark
from tests.servers.catalog import RestCatalogServer
from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.lake import Lake
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.s3 import S3
from tests.servers.server import Server
from tests.servers.spark import spark as spark_of
from tests.servers.trino import Trino

from .watched import watch, watched

S = TypeVar("S", bound=Server)


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


@pytest.fixture(scope="session")
def s3(request: pytest.FixtureRequest, servers_folder: Path) -> Iterator[S3]:
    yield from _running(request, S3(servers_folder / "s3"))


@pytest.fixture(scope="session")
def rest(
    request: pytest.FixtureRequest, servers_folder: Path, postgres: Postgres, s3: S3
) -> Iterator[RestCatalogServer]:
    yield from _running(request, RestCatalogServer(servers_folder / "catalog", postgres, s3))


@pytest.fixture(scope="session")
def trino(request: pytest.FixtureRequest, servers_folder: Path, rest: RestCatalogServer, s3: S3) -> Iterator[Trino]:
    yield from _running(request, Trino(servers_folder / "trino", rest, s3))


@pytest.fixture(scope="session")
def lake(s3: S3, postgres: Postgres, rest: RestCatalogServer) -> Lake:
    return Lake(s3, postgres, rest)


@pytest.fixture(scope="session")
def lake_with_trino(lake: Lake, trino: Trino) -> Lake:
    return replace(lake, trino=trino)


@pytest.fixture(scope="session")
def spark() -> Iterator[dict[str, Any]]:
    """The fields of `Settings` that lead to the one session of Spark."""
    with spark_of() as fields:
        yield fields


@pytest.fixture(scope="session")
def spark_session(lake: Lake, spark: dict[str, Any]) -> SparkSession:
    nowhere = {"kafka_bootstrap_servers": "127.0.0.1:1", "clickhouse_host": "127.0.0.1"}
    return open_spark(Settings(profile="stack", **nowhere, **lake.settings(), **spark))


def _running(request: pytest.FixtureRequest, server: S) -> Iterator[S]:
    with server:
        watch(request.config, server)
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for server in watched(item.config):
            report.sections.append((f"log of {server.name}", server.tail()))
    return report
