"""A lakehouse of its own per test: real engines in process, an event log and tables in a private folder."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform

LATE_COLLECTION = (100_000, 20, 100)
"""Metadata of tables is many small objects without a cycle."""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """An embedded platform whose home is empty; ClickHouse starts only in tests that bring their own."""
    opened: list[SqlCatalog] = []

    @cache
    def open_catalog() -> Catalog:
        uri = f"sqlite:///{tmp_path / 'catalog.db'}"
        opened.append(SqlCatalog("lakehouse", uri=uri, warehouse=f"file://{tmp_path / 'warehouse'}"))
        return opened[0]

    def open_clickhouse() -> Client:
        raise RuntimeError("this test has no ClickHouse")

    (tmp_path / "events").mkdir()
    yield Platform(
        name="embedded",
        home=tmp_path,
        log=FileLog(tmp_path / "events"),
        open_catalog=open_catalog,
        open_clickhouse=open_clickhouse,
        dbt_target="embedded",
    )
    for catalog in opened:
        catalog.close()


@pytest.fixture
def lake(platform: Platform) -> Catalog:
    """The platform's catalog, under a name that tests/engines/clickhouse does not use."""
    return platform.open_catalog()


def pytest_collection_finish() -> None:
    """What is imported lives as long as the session: no collection need look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*LATE_COLLECTION)


def pytest_unconfigure() -> None:
    gc.unfreeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints what a test that draws its cases says of them."""
    for report in terminalreporter.stats.get("passed", []):
        for name, said in report.user_properties:
            terminalreporter.write_line(f"{name}: {said}")
