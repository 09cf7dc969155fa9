"""What tests of landing share: awkward logs of any table, and what a landed table holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse_assets.bronze.land import state
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.scan import ancestors
from lakehouse_assets.engines.log.log import Batch, Bounds, EventLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append

EVENTS = registry.table("clickstream_user_events")
Place = tuple[int, int]


@dataclass(frozen=True)
class Interrupted:
    """The log as it is, but `between` runs after each batch was read and before it is landed."""

    log: EventLog
    between: Callable[[], None]

    def check(self) -> None:
        self.log.check()

    def identity(self, topic: str) -> str | None:
        return self.log.identity(topic)

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        return self.log.bounds(topic)

    def read(self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], limit: int) -> Iterator[Batch]:
        for batch in self.log.read(topic, starts, ends, limit):
            self.between()
            yield batch


def rows(platform: Platform, table: Table) -> list[dict[str, Any]]:
    landed = platform.open_catalog().load_table(spec(table).identifier).scan().to_arrow().to_pylist()
    return sorted(landed, key=lambda row: (row["partition"], row["offset"]))


def places(platform: Platform, table: Table) -> list[Place]:
    """Partition and offset of every landed row, doubles included."""
    return [(row["partition"], row["offset"]) for row in rows(platform, table)]


def snapshots(platform: Platform, table: Table) -> int:
    return len(list(ancestors(platform.open_catalog().load_table(spec(table).identifier))))


def counts(platform: Platform, table: Table) -> tuple[int, int, int]:
    """Consumed, landed and dead, as the table's own marks have them."""
    known = state(platform.open_catalog().load_table(spec(table).identifier))
    return known.consumed, known.landed, known.dead


def write_events(platform: Platform, values: list[bytes | None], partition: int = 0) -> None:
    log = platform.home / "events"
    append(log, [Message(EVENTS.topic, partition, n, 1_767_571_200_000, b"7", value) for n, value in enumerate(values)])


def event(n: int) -> bytes:
    return json.dumps({"event_id": f"e{n}", "user_id": 7}).encode()
