"""Changes of real databases, through Debezium and Kafka into bronze and silver: the tables equal the databases."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lakehouse_assets.engines.platform import Platform
from tests.bronze.lander import rows
from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.server import wait_until
from tests.silver.lakes import changes

from .live_lake import all_told, differences, in_kafka, increment
from .live_source import LiveSource
from .test_landing_from_kafka import stack_log


@pytest.fixture(params=["bank", "shop"])
def source(request: pytest.FixtureRequest) -> Iterator[LiveSource]:
    server: Postgres | MariaDB = request.getfixturevalue({"bank": "postgres", "shop": "mariadb"}[request.param])
    return LiveSource(request.param, server, random.Random(f"live {request.param}"), f"{request.param}_live")


def test_silver_equals_the_database_though_connect_was_killed(
    platform: Platform, source: LiveSource, kafka: Kafka, connect: Connect
) -> None:
    lakehouse = replace(platform, log=stack_log(kafka), batch_messages=500)
    source.change(60)
    snapshot = {table.name: len(source.rows(table)) for table in source.tables}
    source.told.clear()
    source.capture(connect, kafka)
    wait_until("the snapshot is told", lambda: all_told(lakehouse, source, snapshot))

    # Killed in between two writes of its offsets, Connect tells again what came since the first.
    stored = connect.offsets(source.place)
    source.change(5)
    wait_until("offsets are stored", lambda: connect.offsets(source.place) not in ([], stored))
    before = in_kafka(lakehouse, source)
    source.change(150)
    wait_until("much is told", lambda: in_kafka(lakehouse, source) > before + 100)
    connect.kill()
    source.change(150)
    connect.start()
    source.change(50)
    wait_until("silver equals the database", lambda: differences(lakehouse, source) == [] or None, 90)

    assert _told(lakehouse, source) > source.told.total(), "Connect told nothing again"
    for table in source.tables:
        held = changes(lakehouse, table)
        told = [row for row in held if row["op"] in ("c", "u", "d")]
        assert source.told[table.name] > 50
        assert len(told) == source.told[table.name], f"{table.id}: each change is held once"
        assert len({(row[table.key[0]], row["change_position"]) for row in held}) == len(held)


def _told(lakehouse: Platform, source: LiveSource) -> int:
    """The changes in bronze, those included that were told again."""
    increment(lakehouse, source)
    return sum(row["op"] in ("c", "u", "d") for table in source.tables for row in rows(lakehouse, table))
