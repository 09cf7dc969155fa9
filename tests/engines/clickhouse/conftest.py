"""A lakehouse home per test module, with a ClickHouse owner and a catalog of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_assets.engines.clickhouse import client


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lakehouse-"))
    yield folder
    client.stop(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def clickhouse(home: Path) -> Client:
    return client.connect(home)


@pytest.fixture(scope="module")
def catalog(home: Path) -> Iterator[Catalog]:
    opened = SqlCatalog("lakehouse", uri=f"sqlite:///{home / 'catalog.db'}", warehouse=f"file://{home / 'warehouse'}")
    yield opened
    opened.close()
