"""The command line on a real Connect and two databases, with which a user would capture them.

Where it stops: the servers are started, and the settings made, by who uses it.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from typer.testing import CliRunner

from lakehouse_assets.cli.main import app
from lakehouse_assets.contracts import registry
from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres

SECRETS = {name: secrets.token_hex(16) for name in ("bank", "shop", "connector", "clickhouse")}


@dataclass(frozen=True)
class Capture:
    """Called with a subcommand and its arguments."""

    connect: Connect
    kafka: Kafka
    postgres: Postgres
    mariadb: MariaDB

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        """The answer as JSON; every answer is searched for passwords."""
        form = () if arguments[0] == "snapshot" else ("--format", "json")
        result = CliRunner().invoke(app, ["connectors", *arguments, *form])
        assert result.exit_code == code, f"{result.output}{result.exception}"
        assert [name for name, secret in SECRETS.items() if secret in result.output] == []
        return json.loads(result.stdout) if form and result.stdout else result.output

    def status(self, source: str, code: int = 0) -> dict[str, Any]:
        [found] = [each for each in self("status", code=code) if each["source"] == source]
        return dict(found)

    def wait_until_running(self) -> None:
        for source in ("bank", "shop"):
            self.connect.wait_until_running(source)

    def told(self, topic: str) -> int:
        """How many messages a topic holds; 0 where there is none."""
        return len(messages(self.kafka, topic))

    def incremental(self, topic: str) -> int:
        return sum(b'"snapshot":"incremental"' in message for message in messages(self.kafka, topic))


def make_tables(servers: Capture) -> None:
    """Empty, and with keys alone to fill in."""
    for server in (servers.postgres, servers.mariadb):
        source = {Postgres: "bank", MariaDB: "shop"}[type(server)]
        with server.connect(source) as conn, conn.cursor() as cursor:
            cursor.execute("set role bank" if isinstance(server, Postgres) else "set foreign_key_checks = 0")
            for table in (t for t in registry.tables() if t.source.name == source):
                columns = ", ".join(f"{c.name} {c.type}" for c in table.columns)
                cursor.execute(f"drop table if exists {table.name} cascade")
                cursor.execute(f"create table {table.name} ({columns}, primary key ({', '.join(table.key)}))")


def ask(capture: Capture, sql: str, database: str = "bank") -> list[tuple[Any, ...]]:
    with capture.postgres.connect(database) as conn, conn.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def run(server: Postgres | MariaDB, database: str, sql: str) -> None:
    with server.connect(database) as conn, conn.cursor() as cursor:
        cursor.execute(sql)


def messages(kafka: Kafka, topic: str) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "test", "enable.partition.eof": "false"})
    try:
        found = consumer.list_topics(timeout=10).topics.get(topic)
        places = [TopicPartition(topic, p, 0) for p in (found.partitions if found else {})]
        ends = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
        consumer.assign(places)
        held: list[bytes] = []
        while len(held) < ends and (message := consumer.poll(5)) is not None:
            held.append(message.value() or b"")
        return held
    finally:
        consumer.close()


def slots(capture: Capture) -> list[str]:
    return [name for (name,) in ask(capture, "select slot_name from pg_replication_slots order by 1")]
