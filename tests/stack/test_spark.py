"""Spark beside the lakehouse: it reads the tables and maintains them, and neither marks nor rows are lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from pyiceberg.exceptions import NoSuchNamespaceError
from pyspark.sql import SparkSession
from trino.exceptions import TrinoQueryError

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.progress import last_change, moved
from lakehouse_assets.engines.iceberg.scan import ancestors, data_files, is_compaction, sequence_of
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import compaction, spark_maintenance
from lakehouse_assets.operations.compaction import Sizes
from lakehouse_assets.operations.expiry import keep_marks
from lakehouse_assets.operations.maintenance import Work, maintain
from lakehouse_assets.operations.orphans import TooYoung
from lakehouse_assets.profiles import stack
from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.silver.fold_current import is_folded
from lakehouse_assets.sources.writer import append
from tests.bronze.lander import EVENTS, places
from tests.scenario import calm, events
from tests.servers.lake import Lake
from tests.servers.trino import Trino
from tests.silver.lakes import cut, differences, fold, take

from .answers import comparable, spark_rows

USERS = registry.table("bank_users")
TABLES = ("bronze.bank_users", "silver.bank_users_changes", "silver.bank_users")
ALL = Sizes(target=1024 * 1024, least_files=1)


@pytest.fixture
def lakehouse(lake: Lake, spark: dict[str, Any], tmp_path: Path) -> Iterator[Platform]:
    """The stack's tables, maintained by Spark, empty at first, and a log in files."""
    nowhere = {"kafka_bootstrap_servers": "127.0.0.1:1", "clickhouse_host": "127.0.0.1"}
    fields = {**nowhere, **spark, **lake.settings(), "maintenance_engine": "spark"}
    platform = stack.platform(Settings(profile="stack", home=tmp_path, **fields))
    (tmp_path / "events").mkdir()
    yield replace(platform, log=FileLog(tmp_path / "events"), batch_messages=50)
    catalog = lake.catalog()
    for layer in ("bronze", "silver"):
        try:
            for name in catalog.list_tables(layer):
                catalog.drop_table(name)
        except NoSuchNamespaceError:
            continue


@pytest.fixture
def session(lakehouse: Platform) -> SparkSession:
    assert lakehouse.open_spark is not None
    return lakehouse.open_spark()


def test_spark_reads_what_pyiceberg_wrote_and_no_secret_is_in_a_process_list(
    lakehouse: Platform, session: SparkSession, lake: Lake
) -> None:
    take(lakehouse, USERS, calm(USERS, 1).stream.messages)
    fold(lakehouse, USERS)
    for identifier in TABLES[1:]:
        held = comparable(lakehouse.open_catalog().load_table(identifier).scan().to_arrow().to_pylist())
        assert comparable(spark_rows(session, identifier)) == held != []
    commands = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert any("SparkSubmit" in command for command in commands)
    assert [command for command in commands if lake.s3.secret_key in command] == []


def test_offsets_and_marks_survive_sparks_maintenance(lakehouse: Platform) -> None:
    first, second, third = cut(calm(USERS, 3).stream.messages, 3, seed=3)
    take(lakehouse, USERS, first)
    fold(lakehouse, USERS)
    take(lakehouse, USERS, second)
    for table in TABLES:
        with lakehouse.open_catalog().load_table(table).transaction() as transaction:
            transaction.set_properties(
                {"history.expire.min-snapshots-to-keep": "1", "history.expire.max-snapshot-age-ms": "1"}
            )
    _maintain(lakehouse, TABLES[:1])
    fold(lakehouse, USERS)
    for table in TABLES:
        known = marks(lakehouse.open_catalog().load_table(table))
        _maintain(lakehouse, [table])
        assert len(list(ancestors(lakehouse.open_catalog().load_table(table)))) == 1
        assert known.keys() <= marks(lakehouse.open_catalog().load_table(table)).keys()
    take(lakehouse, USERS, third)
    fold(lakehouse, USERS)
    assert differences(lakehouse, USERS) == []


def _maintain(lakehouse: Platform, tables: Sequence[str]) -> list[Work]:
    failed: list[str] = []
    done = list(maintain(lakehouse, ["compact", "expire", "orphans"], tables, failed.append))
    assert failed == []
    return done


def test_a_compaction_by_spark_is_no_news_to_any_reader(lakehouse: Platform, session: SparkSession) -> None:
    for messages in cut(calm(USERS, 5).stream.messages, 4, seed=5):
        take(lakehouse, USERS, messages)
        fold(lakehouse, USERS)
    catalog = lakehouse.open_catalog()
    for identifier in TABLES[:2]:  # a current table is one file
        before = catalog.load_table(identifier)
        done = spark_maintenance.compact(lakehouse, identifier, session, sizes=ALL)
        after = catalog.load_table(identifier)
        assert done is not None
        assert done.files_before > done.files_after
        assert len(data_files(before)) - len(data_files(after)) == done.files_before - done.files_after
        assert 0 < done.bytes_after < done.bytes_before
        assert [is_compaction(s) for s in ancestors(after)][:2] == [True, False]
        assert marks(after) == marks(before)
        assert not moved(after, sequence_of(before))
        assert last_change(keep_marks(after)) == last_change(before)
    assert is_folded(lakehouse, USERS)
    numbers = [sequence_of(catalog.load_table(identifier)) for identifier in TABLES]
    fold(lakehouse, USERS)
    assert [sequence_of(catalog.load_table(identifier)) for identifier in TABLES] == numbers
    assert differences(lakehouse, USERS) == []


def test_a_z_order_narrows_the_files_by_each_of_its_columns(lakehouse: Platform, session: SparkSession) -> None:
    catalog = lakehouse.open_catalog()
    catalog.create_namespace_if_not_exists("silver")
    table = catalog.create_table("silver.grid", pa.schema([("a", pa.int64()), ("b", pa.int64()), ("pad", pa.string())]))
    cells = [(a, b) for a in range(128) for b in range(128)]
    for part in range(4):  # each of all values of both
        held = cells[part::4]
        pad = [f"{a * 7919 % 104729}-{b * 15485863 % 1299709}" * 8 for a, b in held]
        table.append(pa.table({"a": [a for a, _ in held], "b": [b for _, b in held], "pad": pad}))
    sizes = Sizes(target=64 * 1024, least_files=1)

    def opened(condition: str) -> float:
        return len(data_files(table.refresh(), condition)) / len(data_files(table))

    assert opened("a < 8") == opened("b < 8") == 1
    assert spark_maintenance.compact(lakehouse, "silver.grid", session, ("a", "b"), sizes) is not None
    assert len(data_files(table.refresh())) >= 4
    assert max(opened("a < 8"), opened("b < 8")) < 0.8
    assert sorted(zip(*table.scan().to_arrow().select(["a", "b"]).to_pydict().values(), strict=True)) == cells


def test_files_are_orphans_to_spark_only_after_a_day(lakehouse: Platform, session: SparkSession, lake: Lake) -> None:
    take(lakehouse, USERS, calm(USERS, 1).stream.messages)
    table = lakehouse.open_catalog().load_table(TABLES[0])
    kept = {f.file_path for f in data_files(table)}
    buckets = lake.s3.folder / "buckets"
    folder = buckets / table.location().removeprefix("s3://") / "data"
    for name in ("old.parquet", "young.parquet"):
        (folder / name).write_bytes(b"left by a crash")
    long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    for path in (folder / "old.parquet", *(buckets / path.removeprefix("s3://") for path in kept)):
        os.utime(path, (long_ago, long_ago))
    done = spark_maintenance.remove_orphans(lakehouse, TABLES[0], session)
    assert done.files_before - done.files_after == 1
    assert not (folder / "old.parquet").exists()
    assert (folder / "young.parquet").exists()
    assert {f.file_path for f in data_files(table.refresh())} == kept
    with pytest.raises(TooYoung):
        spark_maintenance.remove_orphans(lakehouse, TABLES[0], session, timedelta(hours=23))


def test_the_lander_spark_trino_and_pyiceberg_commit_to_one_table_at_once_and_each_message_is_there_once(
    lakehouse: Platform, session: SparkSession, trino: Trino
) -> None:
    messages = events(2, count=1500).messages
    append(lakehouse.home / "events", messages[:200])
    land(lakehouse, EVENTS)
    append(lakehouse.home / "events", messages[200:1400])
    identifier, over = f"bronze.{EVENTS.id}", threading.Event()

    def others() -> None:
        while not over.is_set():
            list(compaction.compact(lakehouse, identifier, ALL))
            with suppress(TrinoQueryError):
                trino.rows(f"alter table {identifier} execute optimize")

    with ThreadPoolExecutor(2) as pool:
        landing, running = pool.submit(land, lakehouse, EVENTS), pool.submit(others)
        try:
            while not landing.done():
                spark_maintenance.compact(lakehouse, identifier, session, sizes=ALL)
        finally:
            over.set()
        landing.result(120)
        running.result(120)
    # How often Spark came first among them is chance; now it is alone with new files.
    append(lakehouse.home / "events", messages[1400:])
    land(lakehouse, EVENTS)
    assert spark_maintenance.compact(lakehouse, identifier, session, sizes=ALL) is not None
    landed = places(lakehouse, EVENTS)
    assert len(landed) == len(set(landed)) == len(messages)
    fold(lakehouse, EVENTS)
    assert differences(lakehouse, EVENTS) == []
