"""The whole stack of the profile for a test: sources, Kafka, Connect, the lake, ClickHouse, and the command line on it.

Where it stops: what the sources hold is `live_source`'s; what is compared is the test's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pyarrow.fs import LocalFileSystem, copy_files

from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.clickhouse import client as clickhouse
from lakehouse_assets.engines.clickhouse.endpoint import HOST, OWNER
from lakehouse_assets.engines.clickhouse.source import COLLECTION
from lakehouse_assets.engines.clickhouse.sql import literal
from lakehouse_assets.engines.log.log import Batch
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.profiles import stack
from lakehouse_assets.profiles.settings import Settings, variable
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append, next_offset
from tests.servers.catalog import WAREHOUSE
from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.lake import Lake, lake
from tests.servers.mariadb import MariaDB

DELIVERIES = "s3://files"


@dataclass(frozen=True)
class Stack:
    home: Path
    kafka: Kafka
    connect: Connect
    lake: Lake
    mariadb: MariaDB

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Of `Settings`; ClickHouse is the owner of an engine in `home`."""
        owner = clickhouse.running(self.home)
        return {
            "profile": "stack",
            "home": str(self.home),
            "kafka_bootstrap_servers": self.kafka.bootstrap,
            "deliveries": DELIVERIES,
            "clickhouse_host": HOST,
            "clickhouse_port": owner.port,
            "clickhouse_user": OWNER,
            "clickhouse_password": owner.token,
            **self.lake.settings(),
        }

    @cached_property
    def platform(self) -> Platform:
        return stack.platform(Settings(**self.fields))

    def lakehouse(self, *arguments: str) -> str:
        """What `lakehouse` prints under this profile."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LAKEHOUSE_")}
        environment |= {variable(field): str(value) for field, value in self.fields.items()}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("lakehouse")), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"lakehouse {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def let_clickhouse_read_the_lake(self) -> None:
        """As the deployment's configuration does; the engine itself takes named collections from statements alone."""
        s3, bucket = self.lake.s3, WAREHOUSE.removeprefix("s3://").split("/")[0]
        values = {
            "url": f"{s3.endpoint}/{bucket}/",
            "access_key_id": s3.access_key,
            "secret_access_key": s3.secret_key,
        }
        told = ", ".join(f"{name} = {literal(value)}" for name, value in values.items())
        self.platform.open_clickhouse().command(f"CREATE NAMED COLLECTION {COLLECTION} AS {told}")

    @property
    def kafka_settings(self) -> dict[str, str]:
        return {"bootstrap.servers": self.kafka.bootstrap}

    def deliver(self, files: Path) -> None:
        """Puts the CSV files of a folder, as `write_delivery` leaves them, into the bucket."""
        bucket = DELIVERIES.removeprefix("s3://")
        system = self.lake.s3.files()
        for path in sorted(files.rglob("*.csv")):
            with system.open_output_stream(f"{bucket}/{path.relative_to(files)}") as out:
                out.write(path.read_bytes())

    def copy_files(self, folder: Path) -> None:
        """The bucket's files into a folder."""
        bucket, system = DELIVERIES.removeprefix("s3://"), self.lake.s3.files()
        copy_files(bucket, str(folder), source_filesystem=system, destination_filesystem=LocalFileSystem())

    def values(self, topic: str) -> Iterator[bytes]:
        """Of every message of a topic but tombstones."""
        for batch in self._messages(topic):
            yield from (value for value in batch.messages.column("value").to_pylist() if value is not None)

    def copy_log(self, home: Path) -> None:
        """The topics of every contract into a log of files, at their offsets in Kafka."""
        for topic in sorted({t.topic for t in registry.tables() if t.source.kind != "files"}):
            for batch in self._messages(topic):
                _append(home / "events", topic, batch.messages.to_pylist())

    def _messages(self, topic: str) -> Iterator[Batch]:
        log = self.platform.log
        bounds = log.bounds(topic)
        starts, ends = ({p: b.start for p, b in bounds.items()}, {p: b.end for p, b in bounds.items()})
        return log.read(topic, starts, ends, 100_000)


def _append(events: Path, topic: str, rows: list[dict[str, Any]]) -> None:
    ends: dict[int, int] = {}
    messages = []
    for row in rows:
        partition = row["partition"]
        end = ends.setdefault(partition, next_offset(events / topic / f"{partition}.jsonl"))
        headers = tuple(row["headers"] or ())
        place = (topic, partition, row["offset"] - end)
        messages.append(Message(*place, row["timestamp_ms"], row["key"], row["value"], headers))
    append(events, messages)


@contextmanager
def whole_stack(folder: Path, *, trino: bool = False) -> Iterator[Stack]:
    """About 2 GB, and 1.8 GB more with Trino."""
    with ExitStack() as stack:
        home = folder / "home"
        home.mkdir(mode=0o700)
        tables = stack.enter_context(lake(folder, trino=trino))
        kafka = stack.enter_context(Kafka(folder / "kafka"))
        connect = stack.enter_context(Connect(folder / "connect", kafka.bootstrap))
        mariadb = stack.enter_context(MariaDB(folder / "mariadb"))
        stack.callback(clickhouse.stop, home)
        whole = Stack(home, kafka, connect, tables, mariadb)
        whole.let_clickhouse_read_the_lake()
        yield whole
