"""Appends messages to Kafka's topics, each to its partition; the broker gives the offsets.

Where it stops: topics are made by whoever runs the brokers; `writer.py` writes the log in files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.sources.messages import Message

if TYPE_CHECKING:
    from confluent_kafka import Producer

_DELIVERY_SECONDS = 60
_WRITING = {"enable.idempotence": "true", "linger.ms": "5", "message.timeout.ms": str(_DELIVERY_SECONDS * 1000)}


def append(settings: Mapping[str, str], messages: Iterable[Message]) -> None:
    """Returns when the brokers have all of them. `settings` are librdkafka's. Raises LogError."""
    from confluent_kafka import KafkaException, Producer

    refused: list[str] = []
    producer = Producer({**settings, **_WRITING})
    topic = ""
    try:
        for message in messages:
            topic = message.topic
            while not _queued(producer, message, refused):
                producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(_DELIVERY_SECONDS + 5)
    except KafkaException as error:
        raise LogError(f"topic {topic}: Kafka takes no message: {error.args[0].str()}") from error
    if refused or left:
        problem = refused[0] if refused else f"topic {topic}: no answer within {_DELIVERY_SECONDS} seconds"
        raise LogError(f"{problem}; {len(refused) + left} messages were not written")


def _queued(producer: Producer, message: Message, refused: list[str]) -> bool:
    """False where the queue is full."""
    try:
        producer.produce(
            message.topic,
            message.value,
            message.key,
            message.partition,
            timestamp=message.timestamp_ms,
            headers=list(message.headers),
            on_delivery=lambda error, _: refused.append(f"topic {message.topic}: {error.str()}") if error else None,
        )
    except BufferError:
        return False
    return True
