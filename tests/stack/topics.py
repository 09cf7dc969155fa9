"""A topic of its own for a test: made, filled, changed and deleted on the real broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Table
from tests.bronze.lander import event
from tests.servers.kafka import Kafka
from tests.servers.server import wait_until

_EVENTS = registry.table("clickstream_user_events")


@dataclass(frozen=True)
class Topic:
    """`settings` are the topic's own."""

    kafka: Kafka
    name: str
    partitions: int = 1
    settings: Mapping[str, str] | None = None

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.kafka.bootstrap})

    @cached_property
    def contract(self) -> Table:
        """The contract of user events, told by this topic."""
        return replace(_EVENTS, source=replace(_EVENTS.source, topic=self.name))

    def create(self) -> Topic:
        new = NewTopic(self.name, self.partitions, 1, config=dict(self.settings or {}))
        self.admin.create_topics([new])[self.name].result(30)
        wait_until(f"topic {self.name} is there", lambda: self._is_there(self.partitions))
        return self

    def delete(self) -> None:
        self.admin.delete_topics([self.name])[self.name].result(30)
        wait_until(f"topic {self.name} is gone", lambda: self.name not in self.admin.list_topics(timeout=10).topics)

    def grow(self, partitions: int) -> None:
        self.admin.create_partitions([NewPartitions(self.name, partitions)])[self.name].result(30)
        wait_until(f"topic {self.name} grows", lambda: self._is_there(partitions))

    def expire(self, partition: int, before: int) -> None:
        """Remove the messages before an offset, as retention does."""
        place = TopicPartition(self.name, partition, before)
        self.admin.delete_records([place])[place].result(30)

    def send(self, numbers: Sequence[int], partition: int = 0, keys: int = 1_000_000, pad: int = 0) -> None:
        """Events by number; `keys` is how many distinct keys, `pad` is bytes that each is made larger by."""
        producer = self.producer()
        for n in numbers:
            self.produce(producer, n, partition, keys, pad)
        assert producer.flush(60) == 0

    def producer(self, **settings: str) -> Producer:
        large = {"message.max.bytes": 16_000_000, "linger.ms": 5}
        return Producer({"bootstrap.servers": self.kafka.bootstrap, **large, **settings})

    def produce(self, producer: Producer, n: int, partition: int = 0, keys: int = 1_000_000, pad: int = 0) -> None:
        value = event(n)[:-1] + b', "properties": {"pad": "' + b"x" * pad + b'"}}' if pad else event(n)
        producer.produce(self.name, value, b"k%d" % (n % keys), partition)
        producer.poll(0)

    def _is_there(self, partitions: int) -> bool:
        found = self.admin.list_topics(self.name, timeout=10).topics[self.name]
        return found.error is None and len(found.partitions) == partitions
