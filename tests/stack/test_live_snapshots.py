"""Snapshots of real databases that are written to meanwhile, and that Connect does not survive."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.engines.platform import Platform
from tests.bronze.lander import rows
from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.server import wait_until
from tests.silver.lakes import changes, open_platform

from .live_lake import all_told, differences, in_kafka, increment
from .live_source import LiveSource
from .test_landing_from_kafka import stack_log

ROWS = 400


@pytest.mark.parametrize("name", ["bank", "shop"])
def test_silver_equals_the_database_though_connect_was_killed_in_its_snapshot(
    platform: Platform, request: pytest.FixtureRequest, kafka: Kafka, connect: Connect, tmp_path: Path, name: str
) -> None:
    lakehouse = replace(platform, log=stack_log(kafka), batch_messages=5_000)
    database: Postgres | MariaDB = request.getfixturevalue({"bank": "postgres", "shop": "mariadb"}[name])
    source = LiveSource(name, database, random.Random(f"killed {name}"), f"{name}_killed")
    source.fill(ROWS)
    with _written_to(source):
        source.capture(connect, kafka)
        # In the first table, in between two, and right after the last.
        for tables in (0, 1, len(source.tables)):
            before = in_kafka(lakehouse, source)
            wait_until("so much is read", lambda due=before + tables * ROWS: in_kafka(lakehouse, source) > due)
            connect.kill()
            increment(lakehouse, source)
            connect.start()
    connect.wait_until_running(source.place)
    source.change(30)
    wait_until("silver equals the database", lambda: differences(lakehouse, source) == [] or None, 90)
    connect.delete(source.place)

    assert _snapshots_begun(lakehouse, source) > 1, "no snapshot was read again"
    _assert_same_in_one_go(lakehouse, source, tmp_path / "whole")


def test_a_transaction_that_was_open_during_the_snapshot_is_in_silver(
    platform: Platform, postgres: Postgres, kafka: Kafka, connect: Connect, tmp_path: Path
) -> None:
    lakehouse = replace(platform, log=stack_log(kafka))
    source = LiveSource("bank", postgres, random.Random("open"), "bank_open")
    source.fill(100)
    with postgres.connect(source.place) as conn, conn.cursor() as cursor:
        # Where its slot exists already, Debezium does not wait for the transactions that are open.
        cursor.execute(f"create publication {source.place} for all tables")
        cursor.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [source.place])
    committed = {table.name: 100 for table in source.tables}
    with ExitStack() as third, ExitStack() as first, ExitStack() as second:
        opened = [(stack.enter_context(source.apart(0.2).transaction())) for stack in (first, second, third)]
        for change in opened * 2:
            change(10)
        source.capture(connect, kafka)
        wait_until("the snapshot is told", lambda: all_told(lakehouse, source, committed))
        for change in opened:
            change(5)
    source.change(20)
    wait_until("silver equals the database", lambda: differences(lakehouse, source) == [] or None, 60)

    told = [row for table in source.tables for row in rows(lakehouse, table)]
    snapshot = max(row["source_lsn"] for row in told if row["op"] == "r")
    unplaced = [row for row in told if row["op"] in ("c", "u", "d") and "[null" in row["source_sequence"]]
    assert any(row["source_lsn"] < snapshot for row in unplaced), "no change was written before the snapshot"
    _assert_same_in_one_go(lakehouse, source, tmp_path / "whole")
    connect.delete(source.place)


@contextmanager
def _written_to(source: LiveSource) -> Iterator[None]:
    """Meanwhile the source is changed without a pause."""
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.05):
            source.change(1)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def _snapshots_begun(lakehouse: Platform, source: LiveSource) -> int:
    return sum(row["source_snapshot"] == "first" for table in source.tables for row in rows(lakehouse, table))


def _assert_same_in_one_go(lakehouse: Platform, source: LiveSource, home: Path) -> None:
    """What was taken in bit by bit is what a new lakehouse takes in at once; each change is held once."""
    with open_platform(home) as other:
        whole = replace(other, log=lakehouse.log)
        assert differences(whole, source) == []
        for table in source.tables:
            identities = [
                sorted((str(row[table.key[0]]), row["change_position"], row["op"]) for row in changes(each, table))
                for each in (lakehouse, whole)
            ]
            assert identities[0] == identities[1]
            assert len({identity[:2] for identity in identities[0]}) == len(identities[0])
