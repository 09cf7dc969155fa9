"""Kafka as an event log, read committed, from the offsets that the reader names; the broker keeps none for us.

A topic's identity is Kafka's own topic id. A broker that does not tell one (before Kafka 2.8, or without a controller)
is refused: a name in its place would take a topic that was deleted and made again for the old one.
Where it stops: nothing is written, and an offset that is gone is an error (`auto.offset.reset=error`), never a jump.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lakehouse_assets.engines.log.kafka_messages import as_table
from lakehouse_assets.engines.log.log import Batch, Bounds, LogError, is_full

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition

_CHUNK = 20_000
_POLL_SECONDS = 0.2
_NO_TOPIC_ID = "A" * 22  # the zero uuid, as Kafka writes it
_READING = {
    "group.id": "lakehouse",  # librdkafka wants one; no offset is ever stored under it
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "enable.partition.eof": "true",
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "allow.auto.create.topics": "false",
    "fetch.queue.backoff.ms": "1",
    "queued.max.messages.kbytes": "65536",
    "max.partition.fetch.bytes": str(4 * 1024 * 1024),
}


@dataclass(frozen=True)
class KafkaLog:
    """`settings` are librdkafka's, `bootstrap.servers` among them; they may hold a password and are in no text.

    An answer may take `timeout_seconds`; a read that gets nothing for `stall_seconds` is an error, so that the restart
    of a broker is waited for.
    """

    settings: Mapping[str, str] = field(repr=False)
    timeout_seconds: float = 10.0
    stall_seconds: float = 60.0

    def check(self) -> None:
        with self._consumer("the cluster") as consumer:
            consumer.list_topics(timeout=self.timeout_seconds)

    def identity(self, topic: str) -> str | None:
        from confluent_kafka import TopicCollection
        from confluent_kafka.admin import AdminClient

        with self._consumer(f"topic {topic}") as consumer:
            if not self._partitions(consumer, topic):
                return None
            admin = AdminClient(self._configured({}))
            asked = admin.describe_topics(TopicCollection([topic]), request_timeout=self.timeout_seconds)
            told = str(asked[topic].result(self.timeout_seconds + 1).topic_id)
        if told == _NO_TOPIC_ID:
            raise LogError(f"topic {topic}: Kafka at {self._address} has no topic ids; Kafka 2.8 or newer is needed")
        return told

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        """The end is that of the last finished transaction: what an open one wrote is not there yet."""
        with self._consumer(f"topic {topic}") as consumer:
            return {p: self._bounds_of(consumer, topic, p) for p in self._partitions(consumer, topic)}

    def read(self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], limit: int) -> Iterator[Batch]:
        """All partitions at once; a batch closes when it `is_full` or where every partition ends."""
        at = {partition: starts.get(partition, 0) for partition in sorted(ends)}
        at = {partition: start for partition, start in at.items() if start < ends[partition]}
        if not at:
            return
        with self._consumer(f"topic {topic}") as consumer:
            consumer.assign(_places(topic, at))
            waiting: list[pa.Table] = []
            begun = dict(at)
            while unread := {p: offset for p, offset in at.items() if offset < ends[p]}:
                room = limit - sum(w.num_rows for w in waiting)
                messages, reached = self._next(consumer, topic, unread, ends, min(room, _CHUNK))
                at.update(reached)
                if ended := {p: at[p] for p in unread if at[p] == ends[p]}:
                    consumer.pause(_places(topic, ended))
                waiting.append(as_table([m for m in messages if m.offset() < ends[m.partition()]]))
                if is_full(waiting, limit):
                    yield Batch(pa.concat_tables(waiting), _moved(begun, at))
                    waiting, begun = [], dict(at)
            if waiting:
                yield Batch(pa.concat_tables(waiting), _moved(begun, at))

    @property
    def _address(self) -> str:
        return self.settings.get("bootstrap.servers", "no bootstrap.servers")

    def _configured(self, more: Mapping[str, str]) -> dict[str, Any]:
        return {**self.settings, **more, "logger": logging.getLogger(__name__)}

    @contextmanager
    def _consumer(self, subject: str) -> Iterator[Consumer]:
        """Closed in the end; what Kafka raises meanwhile is a LogError about `subject`."""
        from confluent_kafka import Consumer, KafkaException

        try:
            consumer = Consumer(self._configured(_READING))
        except KafkaException as error:
            raise LogError(f"Kafka at {self._address}: {error.args[0].str()}") from None
        try:
            yield consumer
        except KafkaException as error:
            said = error.args[0].str()
            raise LogError(
                f"{subject}: Kafka at {self._address} does not answer: {said}; run again when it does"
            ) from error
        finally:
            consumer.close()

    def _partitions(self, consumer: Consumer, topic: str) -> list[int]:
        """Empty where there is no topic."""
        from confluent_kafka import KafkaError

        found = consumer.list_topics(topic, timeout=self.timeout_seconds).topics[topic]
        if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return []
        if found.error is not None:
            raise LogError(f"topic {topic}: Kafka at {self._address}: {found.error.str()}")
        return sorted(found.partitions)

    def _bounds_of(self, consumer: Consumer, topic: str, partition: int) -> Bounds:
        from confluent_kafka import KafkaException

        [place] = _places(topic, {partition: 0})
        try:
            start, end = consumer.get_watermark_offsets(place, timeout=self.timeout_seconds)
        except KafkaException as error:
            said = error.args[0].str()
            raise LogError(f"topic {topic} partition {partition}: Kafka at {self._address}: {said}") from error
        return Bounds(start, end)

    def _next(
        self, consumer: Consumer, topic: str, at: Mapping[int, int], ends: Mapping[int, int], count: int
    ) -> tuple[list[Any], dict[int, int]]:
        """Messages, and where each partition goes on. Raises LogError after `stall_seconds` without progress."""
        from confluent_kafka import KafkaError

        # `consume` returns early only when it has all that it was asked for.
        count = min(count, sum(ends[p] - offset for p, offset in at.items()))
        give_up = time.monotonic() + self.stall_seconds
        last = "no error"
        while time.monotonic() < give_up:
            messages, told = [], dict(at)
            polled: list[Any] = consumer.consume(count, _POLL_SECONDS)
            for message in polled:
                if (error := message.error()) is None:
                    messages.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    told[message.partition()] = message.offset()
                else:
                    last = self._explain(consumer, topic, message, at)
            reached = _reached(consumer, topic, at, told, ends)
            if messages or reached != at:
                return messages, reached
        wanted = ", ".join(f"partition {p} at offset {at[p]} of {ends[p]}" for p in at)
        raise LogError(
            f"topic {topic}: Kafka at {self._address} gave nothing for {self.stall_seconds:g} s ({last});"
            f" still to read: {wanted}; run again when it answers"
        )

    def _explain(self, consumer: Consumer, topic: str, message: Any, at: Mapping[int, int]) -> str:
        """What a passing error says. Raises LogError for one that stays."""
        from confluent_kafka import KafkaError

        error, partition = message.error(), message.partition()
        said = str(error.str())
        if error.retriable() or error.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
            return said
        where = f"topic {topic} partition {partition}, offset {at.get(partition, message.offset())}"
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            held = self._bounds_of(consumer, topic, partition)
            raise LogError(f"{where}: the log holds offsets {held.start} to {held.end}; nothing was skipped, run again")
        raise LogError(f"{where}: Kafka at {self._address}: {said}")


def _reached(
    consumer: Consumer, topic: str, at: Mapping[int, int], told: Mapping[int, int], ends: Mapping[int, int]
) -> dict[int, int]:
    """The next offset of each partition: where the consumer stands, or the end that it was told beyond a hole."""
    stands = {place.partition: place.offset for place in consumer.position(_places(topic, at))}
    return {p: min(max(stands[p], told[p], offset), ends[p]) for p, offset in at.items()}


def _places(topic: str, at: Mapping[int, int]) -> list[TopicPartition]:
    from confluent_kafka import TopicPartition

    return [TopicPartition(topic, partition, offset) for partition, offset in at.items()]


def _moved(begun: Mapping[int, int], at: Mapping[int, int]) -> dict[int, int]:
    return {partition: offset for partition, offset in at.items() if offset != begun[partition]}
