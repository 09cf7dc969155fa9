"""Connectors that capture one database at the same time under different settings, and what they told, as files.

Where it stops: which statements are run is each case's.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import shutil
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition

from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.server import wait_until

Database = Postgres | MariaDB
Configuration = Mapping[str, str]
NULL = r"\N"
ENDS = "recording_ends"


class Servers(NamedTuple):
    """`folder` is where recordings are written."""

    kafka: Kafka
    connect: Connect
    folder: Path


@dataclass
class Recording:
    """Of one case on one database; `settings` are connectors' configurations by name."""

    case: str
    database: Database
    servers: Servers
    settings: Mapping[str, Configuration]
    statements: list[str] = field(default_factory=list)
    _ends: int = 0

    def __post_init__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.database.create(self.name)
        if isinstance(self.database, MariaDB):
            self.execute(["set global sql_mode = default"], noted=False)
        self.execute([f"create table {ENDS} (id int primary key)"], noted=False)

    @property
    def name(self) -> str:
        """Of the database and the folder; a hyphen would have to be quoted."""
        return f"{self.case}_{'postgres' if isinstance(self.database, Postgres) else 'mariadb'}"

    @property
    def schema(self) -> str:
        return "public" if isinstance(self.database, Postgres) else self.name

    @property
    def folder(self) -> Path:
        return self.servers.folder / self.name

    def execute(self, statements: Iterable[str], noted: bool = True) -> None:
        """Each statement is a transaction of its own, unless it is `begin`."""
        with self.database.connect(self.name) as conn, conn.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                if noted:
                    self.statements.append(statement)

    def start(self) -> None:
        """Create every connector, and return when each has read its snapshot and follows the log."""
        for setting in self.settings:
            self.servers.connect.put(self.connector(setting), self._configuration(setting))
        self.settle()

    def connector(self, setting: str) -> str:
        """The connector's name, and the prefix of its topics."""
        return f"{self.name}.{setting}"

    def settle(self) -> None:
        """Return when everything that was committed is in Kafka."""
        self._ends += 1
        self.execute([f"insert into {ENDS} values ({self._ends})"], noted=False)
        for setting in self.settings:
            end = partial(self.times_told, setting, ENDS, {"id": self._ends})
            wait_until(f"{self.connector(setting)} tells the end", end, 60)

    def stop(self) -> None:
        for setting in self.settings:
            self.servers.connect.stop_connector(self.connector(setting))
            self.servers.connect.delete(self.connector(setting))

    def lose_place(self) -> None:
        """Stop the connectors and forget where they were, in Connect and in the database."""
        for setting in self.settings:
            self.servers.connect.stop_connector(self.connector(setting))
            self.servers.connect.forget_offsets(self.connector(setting))
        if isinstance(self.database, Postgres):
            self.execute([f"select pg_drop_replication_slot('{_slot(self, setting)}')" for setting in self.settings])

    def resume(self) -> None:
        for setting in self.settings:
            self.servers.connect.resume(self.connector(setting))
        self.settle()

    def times_told(self, setting: str, table: str, key: Mapping[str, int]) -> int:
        """How often a setting told a row."""
        topic = f"{self.connector(setting)}.{self.schema}.{table}"
        if not self.servers.connect.runs(self.connector(setting)) or topic not in self._topics(topic):
            return 0
        keys = (json.loads(m.key()) for m in self._messages(topic) if m.key() is not None)
        return sum(found.get("payload", found) == key for found in keys)

    def write_messages(self) -> dict[str, dict[str, int]]:
        """`<settings>/<topic>.jsonl.gz`, and how many messages there are."""
        counts: dict[str, dict[str, int]] = {}
        for setting in self.settings:
            counts[setting] = {}
            for topic in self._topics(self.connector(setting)):
                messages = self._messages(topic)
                counts[setting][topic] = len(messages)
                lines = "".join(json.dumps(_line(m), ensure_ascii=False) + "\n" for m in messages)
                _write(self.folder / setting / f"{topic}.jsonl.gz", lines)
        return counts

    def write_truth(self, table: str, query: str | None = None) -> None:
        """`<table>.csv.gz`: the answer to `query`, whose columns are all text, or a plain table; null is `\\N`."""
        query = query or self._every_column(table)
        with self.database.connect(self.name) as conn, conn.cursor() as cursor:
            cursor.execute(query)
            assert cursor.description is not None
            header = [column[0] for column in cursor.description]
            rows = [[NULL if value is None else value for value in row] for row in cursor.fetchall()]
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([header, *rows])
        _write(self.folder / f"{table}.csv.gz", text.getvalue())

    def write_manifest(self, counts: Mapping[str, Mapping[str, int]], **more: Any) -> None:
        known = {
            "settings": {name: dict(own) for name, own in self.settings.items()},
            "messages": counts,
            "statements": self.statements,
            **more,
        }
        text = json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True)
        (self.folder / "manifest.json").write_text(text + "\n")

    def _every_column(self, table: str) -> str:
        names = "select column_name from information_schema.columns where table_schema = %s and table_name = %s"
        with self.database.connect(self.name) as conn, conn.cursor() as cursor:
            cursor.execute(f"{names} order by ordinal_position", (self.schema, table))
            columns = [name for (name,) in cursor.fetchall()]
        of = "text" if isinstance(self.database, Postgres) else "char"
        listed = ", ".join(f"cast({c} as {of}) as {c}" for c in columns)
        return f"select {listed} from {table} order by {table}.{columns[0]}"

    def _configuration(self, setting: str) -> dict[str, str]:
        own = _postgres(self, setting) if isinstance(self.database, Postgres) else _mariadb(self, setting)
        return {
            "tasks.max": "1",
            "database.hostname": "127.0.0.1",
            "database.port": str(self.database.port),
            "topic.prefix": self.connector(setting),
            "snapshot.mode": "initial",
            "poll.interval.ms": "50",
            "skipped.operations": "none",
            "topic.creation.default.replication.factor": "1",
            "topic.creation.default.partitions": "3",
            **own,
            **self.settings[setting],
        }

    def _topics(self, prefix: str) -> list[str]:
        consumer = self._consumer()
        try:
            found = consumer.list_topics(timeout=10).topics
            return sorted(
                t for t in found if t == prefix or t.startswith(f"{prefix}.") or t.endswith(f"heartbeat.{prefix}")
            )
        finally:
            consumer.close()

    def _messages(self, topic: str) -> list[Message]:
        """Those that are there now, ordered by partition, then offset."""
        consumer = self._consumer()
        try:
            ends = {
                p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
                for p in consumer.list_topics(topic, timeout=10).topics[topic].partitions
            }
            consumer.assign([TopicPartition(topic, p, 0) for p in ends])
            found: list[Message] = []
            while len(found) < sum(ends.values()):
                found += [m for m in consumer.consume(1000, 0.1) if m.error() is None]
            return sorted(found, key=lambda m: (m.partition(), m.offset()))
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        settings = {
            "bootstrap.servers": self.servers.kafka.bootstrap,
            "group.id": "record",
            "auto.offset.reset": "earliest",
        }
        return Consumer({**settings, "enable.auto.commit": False, "fetch.queue.backoff.ms": 1})


def _slot(recording: Recording, setting: str) -> str:
    return re.sub(r"\W", "_", recording.connector(setting))


def _postgres(recording: Recording, setting: str) -> dict[str, str]:
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.dbname": recording.name,
        "database.user": "postgres",
        "database.password": "",
        "plugin.name": "pgoutput",
        "publication.name": "recorded",
        "slot.name": _slot(recording, setting),
        "slot.drop.on.stop": "false",
    }


def _mariadb(recording: Recording, setting: str) -> dict[str, str]:
    name = recording.connector(setting)
    return {
        "connector.class": "io.debezium.connector.mariadb.MariaDbConnector",
        "database.include.list": recording.name,
        "database.user": "root",
        "database.password": "",
        "database.server.id": str(zlib.crc32(name.encode()) % 2**31 + 1),
        "database.ssl.mode": "disable",
        "schema.history.internal.kafka.bootstrap.servers": recording.servers.kafka.bootstrap,
        "schema.history.internal.kafka.topic": f"_history.{name}",
        "schema.history.internal.store.only.captured.databases.ddl": "true",
    }


def _line(message: Message) -> dict[str, Any]:
    """As `kcat -C -J` prints it."""
    fields: dict[str, Any] = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "tstype": "create",
        "ts": message.timestamp()[1],
        "broker": 1,
    }
    if headers := message.headers():
        fields["headers"] = [text for name, value in headers for text in (name, value and value.decode())]
    key, value = message.key(), message.value()
    return {**fields, "key": key and key.decode(), "payload": value and value.decode()}


def _write(path: Path, text: str) -> None:
    """The same bytes for the same text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
