"""Brokers and databases that are killed while changes are told and landed."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest

from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform
from tests.bronze.lander import Interrupted
from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.server import Server, wait_until
from tests.silver.lakes import changes

from .live_lake import all_told, differences, increment
from .live_source import LiveSource
from .test_landing_from_kafka import stack_log


@pytest.mark.parametrize("name", ["bank", "shop"])
def test_silver_equals_the_database_though_broker_and_database_were_killed(
    platform: Platform, request: pytest.FixtureRequest, kafka: Kafka, connect: Connect, name: str
) -> None:
    lakehouse = replace(platform, log=stack_log(kafka), batch_messages=50)
    database: Postgres | MariaDB = request.getfixturevalue({"bank": "postgres", "shop": "mariadb"}[name])
    source = LiveSource(name, database, random.Random(f"kills {name}"), f"{name}_kills")
    _let_commits_outlive_it(database)
    source.fill(50)
    source.told.clear()
    source.capture(connect, kafka)
    wait_until("the snapshot is told", lambda: all_told(lakehouse, source, {t.name: 50 for t in source.tables}))

    source.change(100)
    kills = _Once(kafka)
    with suppress(LogError):
        increment(replace(lakehouse, log=Interrupted(lakehouse.log, kills)), source)
    kills()
    source.change(50)
    kafka.start()
    source.change(100)
    database.kill()
    wait_until("the database is back", lambda: _started(database))
    source.change(50)

    def equals() -> bool:
        connect.restart_failed(source.place)
        with suppress(LogError):  # the broker may be up and not yet the leader of a partition
            return differences(lakehouse, source) == []
        return False

    wait_until("silver equals the database", equals, 120)
    connect.delete(source.place)
    for table in source.tables:
        held = changes(lakehouse, table)
        ops = Counter(row["op"] for row in held)
        # A connector whose offsets the broker took with it reads the tables again, and does not tell what was before.
        assert ops["c"] + ops["u"] + ops["d"] == source.told[table.name] or ops["r"] > 50
        assert len({(row[table.key[0]], row["change_position"]) for row in held}) == len(held)


class _Once:
    """Kills a server when it is called for the first time."""

    def __init__(self, server: Server) -> None:
        self._left = [server]

    def __call__(self) -> None:
        while self._left:
            self._left.pop().kill()


def _let_commits_outlive_it(database: Postgres | MariaDB) -> None:
    """The tests' MariaDB writes its log once a second, though its binlog at every commit."""
    if isinstance(database, MariaDB):
        with database.connect() as conn, conn.cursor() as cursor:
            cursor.execute("set global innodb_flush_log_at_trx_commit = 2")


def _started(database: Postgres | MariaDB) -> bool:
    """PostgreSQL does not start until the last process of the killed one has gone."""
    with suppress(Exception):
        database.start()
    return database.is_up()
