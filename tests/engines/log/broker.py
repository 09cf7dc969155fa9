"""librdkafka's own broker in this process, and a log over it.

That broker has no controller, so it tells no topic ids, and it writes no transaction markers: both need a real one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import Producer

from lakehouse_assets.engines.log.kafka_log import KafkaLog
from lakehouse_assets.sources.messages import Message


class Broker:
    """Lives as long as its owner; a topic gets four partitions with its first message."""

    def __init__(self) -> None:
        self.owner: Producer | None = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self.owner.list_topics(timeout=5).brokers.values()
        self.settings = {"bootstrap.servers": ",".join(f"{b.host}:{b.port}" for b in brokers)}

    def send(self, messages: Iterable[Message]) -> None:
        producer = Producer({**self.settings, "message.max.bytes": "20000000"})
        for m in messages:
            headers = list(m.headers) or None
            producer.produce(m.topic, m.value, m.key, m.partition, timestamp=m.timestamp_ms, headers=headers)
        assert producer.flush(10) == 0

    def stop(self) -> None:
        self.owner = None


@dataclass(frozen=True)
class NamedLog(KafkaLog):
    """What that broker cannot tell: one id for the one life of its topics."""

    def identity(self, topic: str) -> str | None:
        return "the only one" if self.bounds(topic) else None
