"""The stack profile from its sources to gold: equal to the databases, and to the embedded profile on the same log.

Two increments by the command line, over databases that change before, between and after them.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import register_files
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.gold.assets import gold_tables
from lakehouse_assets.profiles import stack
from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.sources import kafka_writer
from lakehouse_assets.sources.events import EventStream, Traffic
from lakehouse_assets.sources.files import write_delivery
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.vault import manifest
from tests import model
from tests.scenario import retail
from tests.servers.server import wait_until
from tests.silver.lakes import current, fold, open_platform, timeless

from .answers import clickhouse_rows, comparable, spark_rows, trino_rows
from .live_source import LiveSource
from .topics import Topic
from .watched import watch
from .whole import Stack, whole_stack

_OF_LANDING = {"landed_at", "modified_ns"}


@dataclass(frozen=True)
class Fed:
    """A stack that took in everything, and its databases."""

    stack: Stack
    sources: list[LiveSource]


@pytest.fixture(scope="module")
def fed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fed]:
    files, deliveries = tmp_path_factory.mktemp("files"), retail(1, increments=1).deliveries
    with whole_stack(tmp_path_factory.mktemp("whole"), trino=True) as stack:
        lake = stack.lake
        watch(request.config, lake.postgres, lake.s3, lake.rest, lake.trino, stack.kafka, stack.connect, stack.mariadb)
        numbers = random.Random("end to end")
        sources = [LiveSource("bank", stack.lake.postgres, numbers), LiveSource("shop", stack.mariadb, numbers)]
        for source in sources:
            source.change(40)
            source.capture(stack.connect, stack.kafka)
            _wait_until_told(stack, source, "r", sum(len(source.rows(table)) for table in source.tables))
            source.told.clear()
        Topic(stack.kafka, "user-events", partitions=3, settings={"retention.ms": "-1"}).create()
        for delivery in deliveries:
            kafka_writer.append(stack.kafka_settings, _events(delivery.number))
            write_delivery(files, delivery)
            stack.deliver(files)
            for source in sources:
                source.change(60)
                _wait_until_told(stack, source, "cud", source.told.total())
            stack.lakehouse("materialize")
        yield Fed(stack, sources)


def _events(seed: int) -> list[Message]:
    """Few enough that are refused for the checks to pass."""
    traffic = Traffic(seed=seed, rate=0.002, duplicates=0.05, dead=0.005, rejected=0.005, late=0.05)
    return list(EventStream(traffic).take(400).messages)


def _wait_until_told(stack: Stack, source: LiveSource, ops: str, count: int) -> None:
    def told() -> bool:
        found: Counter[str] = Counter()
        for topic in {table.topic for table in source.tables}:
            for value in stack.values(topic):
                found[orjson.loads(value)["op"]] += 1
        return sum(found[op] for op in ops) >= count

    wait_until(f"{count} messages of {source.name} are told", told, 90)


def test_silver_equals_the_databases(fed: Fed) -> None:
    platform = fed.stack.platform
    for source in fed.sources:
        for table in source.tables:
            held = current(platform, table)
            assert model.compare(table.id, source.rows(table), held, table.key) == []
            assert source.told[table.name] > 20
            assert held


def test_each_table_equals_that_of_the_embedded_profile_on_the_same_messages(fed: Fed, tmp_path: Path) -> None:
    with open_platform(tmp_path) as embedded:
        fed.stack.copy_log(tmp_path)
        fed.stack.copy_files(tmp_path / "files")
        for table in registry.tables():
            if table.source.kind != "files":
                land(embedded, table)
            fold(embedded, table)
        expected, found = _digests(embedded), _digests(fed.stack.platform)
    assert len(expected) > 20
    assert found == expected


def _digests(platform: Platform) -> dict[str, tuple[int, str]]:
    """Rows and their hash, of each table, without what tells when and in which commit a row was written, and without
    files of `landed_files` that were delivered again."""
    catalog = platform.open_catalog()
    names = [".".join(name) for layer in ("bronze", "silver") for name in catalog.list_tables(layer)]
    held = {name: catalog.load_table(name).scan().to_arrow().to_pylist() for name in sorted(names)}
    held["bronze.landed_files"] = [file for file in held["bronze.landed_files"] if file["rows"]]
    return {name: _digest(rows) for name, rows in held.items()}


def _digest(rows: Iterable[Mapping[str, Any]]) -> tuple[int, str]:
    kept = timeless([{k: v for k, v in row.items() if k not in _OF_LANDING} for row in rows])
    return len(kept), hashlib.sha256("\n".join(sorted(map(repr, kept))).encode()).hexdigest()


def test_gold_holds_the_rows_of_the_marts_and_they_tell_of_the_databases(fed: Fed) -> None:
    platform, (bank, _) = fed.stack.platform, fed.sources
    clickhouse = platform.open_clickhouse()
    for built, target in gold_tables(manifest.project()):
        mart = platform.open_catalog().load_table(built.identifier).scan().to_arrow().to_pylist()
        gold = clickhouse.query_arrow(f"SELECT * FROM gold.{target.name}", use_strings=True).to_pylist()
        assert comparable(gold) == comparable(mart), target.name
        assert mart, target.name
    (accounts,) = (table for table in bank.tables if table.name == "accounts")
    balances = clickhouse.query("SELECT account_id, balance FROM gold.account_balance_latest")
    assert {str(key): value for key, value in balances.result_rows} == {
        str(row["id"]): row["balance"] for row in bank.rows(accounts)
    }


def test_an_increment_without_news_builds_nothing(fed: Fed) -> None:
    before = _versions(fed.stack.platform)
    fed.stack.lakehouse("materialize")
    assert _versions(fed.stack.platform) == before
    assert len(before) > 60


def _versions(platform: Platform) -> dict[str, Any]:
    catalog = platform.open_catalog()
    names = [".".join(name) for (layer,) in catalog.list_namespaces() for name in catalog.list_tables(layer)]
    return {name: catalog.load_table(name).metadata.current_snapshot_id for name in names}


def test_every_engine_reads_the_same_rows(fed: Fed, spark: dict[str, Any]) -> None:
    """PyIceberg, DuckDB, Trino, Spark and ClickHouse."""
    lake, platform = fed.stack.lake, fed.stack.platform
    session = stack.open_spark(Settings(**{**fed.stack.fields, **spark}))
    assert lake.trino is not None
    for identifier in (_current(table) for table in registry.tables()):
        table = platform.open_catalog().load_table(identifier)
        expected = comparable(table.scan().to_arrow().to_pylist())
        assert expected, identifier
        with platform.open_duckdb() as conn:
            register_files(conn, "held", table, data_files(table))
            assert comparable(conn.sql("from held").to_arrow_table().to_pylist()) == expected, f"{identifier} in DuckDB"
        assert comparable(trino_rows(lake.trino, identifier)) == expected, f"{identifier} in Trino"
        assert comparable(spark_rows(session, identifier)) == expected, f"{identifier} in Spark"
        assert comparable(clickhouse_rows(platform, lake, table)) == expected, f"{identifier} in ClickHouse"


def _current(table: Table) -> str:
    return f"silver.{table.id}"
