"""The embedded profile: one folder, opened at the first question and by one opener whatever the threads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_assets.engines.clickhouse.client import stop
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.profiles import embedded
from lakehouse_assets.profiles.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "a home"
    stop(tmp_path / "a home")


@pytest.fixture
def platform(home: Path) -> Platform:
    return embedded.platform(Settings(home=home, batch_messages=7, memory_limit="512MB"))


def test_nothing_is_on_disk_before_something_is_opened(platform: Platform, home: Path) -> None:
    assert (platform.dbt_target, platform.batch_messages, platform.memory_limit) == ("embedded", 7, "512MB")
    assert platform.log.identity("clickstream.user_events") is None
    with pytest.raises(LogError, match="there is no event log"):
        platform.log.check()
    assert not home.exists()


def test_the_catalog_is_opened_once_in_a_private_folder(platform: Platform, home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: platform.open_catalog(), range(16)))
    assert len({id(catalog) for catalog in opened}) == 1
    assert home.stat().st_mode & 0o777 == 0o700
    catalog = opened[0]
    catalog.create_namespace("bronze")
    assert catalog.name == "lakehouse"
    assert catalog.properties["warehouse"] == f"file://{home}/warehouse"
    assert (home / "catalog.db").is_file()
    assert isinstance(catalog, SqlCatalog)
    catalog.close()


OPEN = """
import sys
from pathlib import Path
from lakehouse_assets.profiles import embedded
from lakehouse_assets.profiles.settings import Settings
print(embedded.platform(Settings(home=Path(sys.argv[1]))).open_catalog().list_namespaces())
"""


def test_processes_that_open_a_new_lakehouse_at_once_all_succeed(home: Path) -> None:
    opening = [subprocess.Popen([sys.executable, "-c", OPEN, home], stdout=subprocess.PIPE, text=True) for _ in "ab"]
    assert [process.communicate(timeout=60)[0] for process in opening] == ["[]\n"] * 2


def test_clickhouse_is_the_owner_process_of_this_home(platform: Platform, home: Path) -> None:
    client = platform.open_clickhouse()
    assert client is platform.open_clickhouse()
    assert client.query("select 1").result_rows == [(1,)]
    assert (home / "clickhouse").is_dir()
