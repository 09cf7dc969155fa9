"""Tables on S3 and the REST catalog: servers killed under a run, and Trino that maintains and writes beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow.fs import FileType
from pyiceberg.exceptions import NoSuchNamespaceError
from requests.exceptions import RequestException
from trino.exceptions import TrinoQueryError

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.iceberg.scan import ancestors, data_files
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.compaction import Sizes, compact
from lakehouse_assets.operations.expiry import expire
from lakehouse_assets.operations.orphans import remove_orphans
from lakehouse_assets.profiles import stack
from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.sources.writer import append
from tests.bronze.lander import EVENTS, Interrupted, places
from tests.scenario import calm, events
from tests.servers.lake import Lake
from tests.servers.server import Server
from tests.servers.trino import Trino
from tests.silver.lakes import cut, differences, fold, take

USERS = registry.table("bank_users")
_NO_RETENTION = {
    "lakehouse.expire_snapshots_min_retention": "0s",
    "lakehouse.remove_orphan_files_min_retention": "0s",
}


@pytest.fixture
def lakehouse(lake: Lake, tmp_path: Path) -> Iterator[Platform]:
    """The stack's tables, empty at first, and a log in files."""
    nowhere = {"kafka_bootstrap_servers": "127.0.0.1:1", "clickhouse_host": "127.0.0.1"}
    platform = stack.platform(Settings(profile="stack", home=tmp_path, **nowhere, **lake.settings()))
    (tmp_path / "events").mkdir()
    yield replace(platform, log=FileLog(tmp_path / "events"), batch_messages=50)
    catalog = lake.catalog()
    for layer in ("bronze", "silver"):
        try:
            for name in catalog.list_tables(layer):
                catalog.drop_table(name)
        except NoSuchNamespaceError:
            continue


@pytest.mark.parametrize("name", ["rest", "s3"])
def test_a_server_of_the_lake_killed_under_a_run_is_waited_for_and_nothing_is_lost_or_doubled(
    lakehouse: Platform, lake: Lake, name: str
) -> None:
    messages = events(1, count=1000).messages
    append(lakehouse.home / "events", messages)
    under_way = threading.Event()
    landing = replace(lakehouse, log=Interrupted(lakehouse.log, under_way.set))
    server: Server = getattr(lake, name)
    with ThreadPoolExecutor(1) as pool:
        runs = pool.submit(_runs_until_landed, landing)
        assert under_way.wait(60)
        server.kill()  # here and not in the thread: a server dies with the thread that started it
        server.start()
        assert runs.result(300) <= 2
    assert len(places(lakehouse, EVENTS)) == len(set(places(lakehouse, EVENTS))) == len(messages)


def _runs_until_landed(lakehouse: Platform) -> int:
    """A commit that the catalog took with it is an error of that run; the next one goes on."""
    for run in range(1, 10):
        try:
            land(lakehouse, EVENTS)
        except (RequestException, OSError):
            continue
        return run
    raise AssertionError("no run got to the end")


def test_offsets_and_marks_survive_trinos_maintenance(lakehouse: Platform, trino: Trino) -> None:
    first, second, third = cut(calm(USERS, 3).stream.messages, 3, seed=3)
    take(lakehouse, USERS, first)
    fold(lakehouse, USERS)
    take(lakehouse, USERS, second)
    tables = ("bronze.bank_users", "silver.bank_users_changes", "silver.bank_users")
    for table in tables:
        with lakehouse.open_catalog().load_table(table).transaction() as transaction:
            transaction.set_properties({"history.expire.min-snapshots-to-keep": "1"})
    _maintain(trino, tables[0])
    fold(lakehouse, USERS)
    for table in tables:
        _maintain(trino, table)
        assert len(list(ancestors(lakehouse.open_catalog().load_table(table)))) == 1
    take(lakehouse, USERS, third)
    fold(lakehouse, USERS)
    assert differences(lakehouse, USERS) == []


def _maintain(trino: Trino, table: str) -> None:
    with trino.connect(session_properties=_NO_RETENTION) as connection:
        for statement in (
            "optimize",
            "expire_snapshots(retention_threshold => '0s')",
            "remove_orphan_files(retention_threshold => '0s')",
        ):
            connection.cursor().execute(f"alter table {table} execute {statement}").fetchall()


def test_trino_and_the_lander_commit_to_one_table_at_once_and_each_message_is_there_once(
    lakehouse: Platform, trino: Trino
) -> None:
    messages = events(2, count=1000).messages
    append(lakehouse.home / "events", messages[:50])
    land(lakehouse, EVENTS)
    append(lakehouse.home / "events", messages[50:])
    over = threading.Event()

    def optimize() -> tuple[int, int]:
        done = refused = 0
        while not over.is_set():
            try:
                trino.rows(f"alter table bronze.{EVENTS.id} execute optimize")
                done += 1
            except TrinoQueryError:
                refused += 1
        return done, refused

    with ThreadPoolExecutor(1) as pool:
        optimized = pool.submit(optimize)
        try:
            assert _runs_until_landed(lakehouse) == 1
        finally:
            over.set()
        done, _ = optimized.result(120)
    assert done > 1
    landed = places(lakehouse, EVENTS)
    assert len(landed) == len(set(landed)) == len(messages)
    fold(lakehouse, EVENTS)
    assert differences(lakehouse, EVENTS) == []


def test_trino_killed_while_it_rewrites_a_table_leaves_it_as_it_was(lakehouse: Platform, trino: Trino) -> None:
    first, second = cut(calm(USERS, 5).stream.messages, 2, seed=5)
    take(lakehouse, USERS, first)
    with ThreadPoolExecutor(1) as pool:
        optimized = pool.submit(trino.rows, "alter table bronze.bank_users execute optimize")
        trino.kill()
        optimized.exception(120)
    fold(lakehouse, USERS)
    trino.start()
    _maintain(trino, "bronze.bank_users")
    take(lakehouse, USERS, second)
    fold(lakehouse, USERS)
    assert differences(lakehouse, USERS) == []


def test_maintenance_in_s3_deletes_what_nobody_needs_and_nothing_else(lakehouse: Platform, lake: Lake) -> None:
    for batch in cut(calm(USERS, 7).stream.messages, 6, seed=7):
        take(lakehouse, USERS, batch)
        fold(lakehouse, USERS)
    name = "silver.bank_users_changes"
    before = lakehouse.open_catalog().load_table(name)
    stray = f"{before.location().removeprefix('s3://')}/data/stray.parquet"
    with lake.s3.files().open_output_stream(stray) as out:
        out.write(b"left behind")

    later = datetime.now(UTC) + timedelta(days=10)
    assert list(compact(lakehouse, name, Sizes(least_files=2)))
    expired = expire(lakehouse, name, later)
    assert expired.snapshots > 0
    assert expired.files_after < expired.files_before
    removed = remove_orphans(lakehouse, name, now=later)
    assert removed.files_after < removed.files_before
    assert lake.s3.files().get_file_info(stray).type == FileType.NotFound
    assert differences(lakehouse, USERS) == []
    assert len(data_files(lakehouse.open_catalog().load_table(name))) < len(data_files(before))
