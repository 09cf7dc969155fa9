"""A source's tables in a real database, made from their contracts, and random committed changes of them.

Values come from the project's generators; what the tables hold in the end is asked of the database.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zlib import crc32

from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.sources.rows import Key, Row, RowMaker
from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres


@dataclass
class LiveSource:
    """`told` counts the changes that were committed, by table: what a connector has to tell.

    `place` names the database, the connector and its topics; where it is not given they are called like the source.
    """

    name: str
    database: Postgres | MariaDB
    numbers: random.Random
    place: str = ""
    told: Counter[str] = field(default_factory=Counter)
    _rows: dict[str, dict[Key, Row]] = field(default_factory=dict)
    _keys: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.place = self.place or self.name
        self.tables = [self._placed(t) for t in registry.tables() if t.source.name == self.name]
        self._makers = {t.name: RowMaker(t, self.numbers, awkward=0.2, broken=0.0, large=0.3) for t in self.tables}
        self.database.create(self.place)
        with self.database.connect(self.place) as conn, conn.cursor() as cursor:
            for table in self.tables:
                columns = ", ".join(f"{c.name} {c.type} {'null' if c.nullable else 'not null'}" for c in table.columns)
                cursor.execute(f"create table {table.name} ({columns}, primary key ({', '.join(table.key)}))")
                self._rows[table.name] = {}

    def fill(self, rows: int) -> None:
        """So many rows in each table, in one transaction."""
        with self.database.connect(self.place) as conn, conn.cursor() as cursor:
            cursor.execute("begin")
            for table in self.tables:
                for _ in range(rows):
                    self._insert(cursor, table)
            cursor.execute("commit")

    def apart(self, share: float) -> LiveSource:
        """Takes over a share of the rows: it and the rest never change the same one."""
        part = copy(self)
        part.told, part._rows, part._keys = Counter(), {}, Counter()
        for name, rows in self._rows.items():
            taken = [key for key in rows if self.numbers.random() < share]
            part._rows[name] = {key: rows.pop(key) for key in taken}
            part._keys[name] = self._keys[name] + 100_000
            self._keys[name] = part._keys[name] + 100_000
        return part

    @contextmanager
    def transaction(self) -> Iterator[Callable[[int], None]]:
        """Gives what makes so many changes in it; commits when the block ends."""
        with self.database.connect(self.place) as conn, conn.cursor() as cursor:
            cursor.execute("begin")
            yield lambda changes: [self._change_one(cursor, self.numbers.choice(self.tables)) for _ in range(changes)]
            cursor.execute("commit")

    def change(self, transactions: int) -> None:
        """Each of one to six statements over all tables; one in ten is rolled back."""
        with self.database.connect(self.place) as conn, conn.cursor() as cursor:
            for _ in range(transactions):
                before, told = {name: dict(rows) for name, rows in self._rows.items()}, self.told.copy()
                cursor.execute("begin")
                for _ in range(self.numbers.randrange(1, 7)):
                    self._change_one(cursor, self.numbers.choice(self.tables))
                if self.numbers.random() < 0.1:
                    cursor.execute("rollback")
                    self._rows, self.told = before, told
                else:
                    cursor.execute("commit")

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """What SQL answers, values in Python's types."""
        with self.database.connect(self.place) as conn, conn.cursor() as cursor:
            cursor.execute(f"select {', '.join(c.name for c in table.columns)} from {table.name}")
            return [
                {c.name: _in_python(value, c.type.kind) for c, value in zip(table.columns, row, strict=True)}
                for row in cursor.fetchall()
            ]

    def capture(self, connect: Connect, kafka: Kafka) -> None:
        """With the modes that the contracts declare."""
        source = self.tables[0].source
        connect.put(
            self.place,
            {
                "tasks.max": "1",
                "database.hostname": "127.0.0.1",
                "database.port": str(self.database.port),
                "database.password": "",
                "topic.prefix": self.place,
                "decimal.handling.mode": source.decimal,
                "time.precision.mode": source.time,
                "poll.interval.ms": "50",
                "topic.creation.default.replication.factor": "1",
                "topic.creation.default.partitions": "3",
                **self._connector(kafka),
            },
        )
        connect.wait_until_running(self.place)

    def _connector(self, kafka: Kafka) -> Mapping[str, str]:
        if isinstance(self.database, Postgres):
            return {
                "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
                "database.dbname": self.place,
                "database.user": "postgres",
                "plugin.name": "pgoutput",
                "slot.name": self.place,
                "publication.name": self.place,
            }
        return {
            "connector.class": "io.debezium.connector.mariadb.MariaDbConnector",
            "database.include.list": self.place,
            "database.user": "root",
            "database.server.id": str(5000 + crc32(self.place.encode()) % 1_000_000),
            "database.ssl.mode": "disable",
            "schema.history.internal.kafka.bootstrap.servers": kafka.bootstrap,
            "schema.history.internal.kafka.topic": f"_history.{self.place}",
        }

    def _change_one(self, cursor: Any, table: Table) -> None:
        rows, maker, chance = self._rows[table.name], self._makers[table.name], self.numbers.random()
        if chance < 0.45 or not rows:
            self._insert(cursor, table)
            return
        key = self.numbers.choice(list(rows))
        where = " and ".join(f"{name} = %s" for name in table.key)
        if chance < 0.85:
            row = maker.vary(rows[key])
            self._update(cursor, table, row, where, key)
        elif chance < 0.92:
            self._keys[table.name] += 1
            row = {**rows.pop(key), **dict(zip(table.key, maker.key(self._keys[table.name]), strict=True))}
            self._update(cursor, table, row, where, key)
            self.told[table.name] += 1  # a delete and an insert
        else:
            del rows[key]
            self._run(cursor, table, f"delete from {table.name} where {where}", list(key))
            return
        rows[_key(table, row)] = row

    def _insert(self, cursor: Any, table: Table) -> None:
        maker = self._makers[table.name]
        self._keys[table.name] += 1
        row = maker.new(maker.key(self._keys[table.name]))
        names = ", ".join(row)
        self._run(cursor, table, f"insert into {table.name} ({names}) values ({_places(row)})", list(row.values()))
        self._rows[table.name][_key(table, row)] = row

    def _placed(self, table: Table) -> Table:
        return replace(table, source=replace(table.source, topic=table.source.topic.replace(self.name, self.place)))

    def _update(self, cursor: Any, table: Table, row: Row, where: str, key: Key) -> None:
        assigned = ", ".join(f"{name} = %s" for name in row)
        self._run(cursor, table, f"update {table.name} set {assigned} where {where}", [*row.values(), *key])

    def _run(self, cursor: Any, table: Table, statement: str, values: list[Any]) -> None:
        cursor.execute(statement, [str(v) if isinstance(v, UUID) else v for v in values])
        self.told[table.name] += cursor.rowcount  # of MariaDB an update that changes nothing is no row


def _places(row: Row) -> str:
    return ", ".join(["%s"] * len(row))


def _key(table: Table, row: Row) -> Key:
    return tuple(row[name] for name in table.key)


def _in_python(value: Any, kind: str) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC if kind == "timestamp" else None)
    return bool(value) if kind == "bool" and value is not None else value
