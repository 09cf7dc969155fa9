"""The profile without a server: everything lies in one folder, and this process or ClickHouse's owner opens it.

Where it stops: nothing is opened or made on disk before somebody asks for it.
"""

from __future__ import annotations

from pathlib import Path

from clickhouse_connect.driver.client import Client
from filelock import FileLock
from pyiceberg.catalog import Catalog

from lakehouse_assets.engines.clickhouse.client import connect
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.profiles import probes
from lakehouse_assets.profiles.lazy import once
from lakehouse_assets.profiles.settings import Settings


def platform(settings: Settings) -> Platform:
    home = settings.home

    def open_catalog() -> Catalog:
        return _catalog(home)

    def open_clickhouse() -> Client:
        _make(home)
        return connect(home)

    log, catalog, clickhouse = FileLog(home / "events"), once(open_catalog), once(open_clickhouse)
    return Platform(
        name="embedded",
        home=home,
        log=log,
        open_catalog=catalog,
        open_clickhouse=clickhouse,
        dbt_target="embedded",
        batch_messages=settings.batch_messages,
        memory_limit=settings.memory_limit,
        automation=settings.automation,
        let_floods_in=frozenset(filter(None, settings.let_floods_in.split(","))),
        backups=settings.backups,
        probes=probes.embedded(home, log, catalog, clickhouse),
    )


def _catalog(home: Path) -> Catalog:
    from pyiceberg.catalog.sql import SqlCatalog

    _make(home)
    # The first process makes the catalog's tables; one that does so at the same moment would fail.
    with FileLock(home / "catalog.lock"):
        return SqlCatalog("lakehouse", uri=f"sqlite:///{home}/catalog.db", warehouse=f"file://{home}/warehouse")


def _make(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
