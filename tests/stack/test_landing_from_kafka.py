"""Landing from a real broker: every committed message once, whatever happens to the topic and to the broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from lakehouse_assets.bronze.land import Landed, land, state
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.engines.log.kafka_log import KafkaLog
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.profiles import stack
from lakehouse_assets.profiles.settings import Settings
from tests.bronze.lander import Interrupted, places, rows
from tests.servers.kafka import Kafka
from tests.servers.server import wait_until

from .topics import Topic


@pytest.fixture
def lakehouse(platform: Platform, kafka: Kafka) -> Platform:
    """The log of the stack profile, over tables in a private folder."""
    return replace(platform, log=stack_log(kafka))


def stack_log(kafka: Kafka) -> KafkaLog:
    nowhere = {"catalog_uri": "http://127.0.0.1:1", "warehouse": "none", "clickhouse_host": "127.0.0.1"}
    log = stack.platform(Settings(profile="stack", kafka_bootstrap_servers=kafka.bootstrap, **nowhere)).log
    assert isinstance(log, KafkaLog)
    return log


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> Topic:
    return Topic(kafka, request.node.name[:100], partitions=2)


def _events(lakehouse: Platform, topic: Topic) -> list[str]:
    """The numbers of the events that were landed, as their ids say, doubles included."""
    return sorted(json.loads(row["data"])["event_id"] for row in rows(lakehouse, topic.contract))


def _ids(*numbers: range) -> list[str]:
    return sorted(f"e{n}" for each in numbers for n in each)


def _offsets(lakehouse: Platform, topic: Topic) -> dict[int, int]:
    return dict(state(lakehouse.open_catalog().load_table(spec(topic.contract).identifier)).offsets)


def test_aborted_messages_and_transaction_markers_are_never_landed(lakehouse: Platform, topic: Topic) -> None:
    topic.create()
    producer = topic.producer(**{"transactional.id": topic.name})
    producer.init_transactions(30)
    for first, kept in ((0, True), (10, False), (20, True), (30, False)):
        producer.begin_transaction()
        for n in range(first, first + 10):
            topic.produce(producer, n, partition=n % 2)
        producer.flush(30)
        producer.commit_transaction(30) if kept else producer.abort_transaction(30)
    producer.begin_transaction()
    topic.produce(producer, 40)
    producer.flush(30)

    assert land(lakehouse, topic.contract).consumed == 20
    assert _events(lakehouse, topic) == _ids(range(10), range(20, 30))
    assert land(lakehouse, topic.contract).consumed == 0

    producer.commit_transaction(30)
    assert land(lakehouse, topic.contract).consumed == 1
    assert _events(lakehouse, topic) == _ids(range(10), range(20, 30), range(40, 41))
    # Per partition 20 messages and 4 markers, and in partition 0 the last message and its marker.
    assert _offsets(lakehouse, topic) == {0: 26, 1: 24}


def test_a_compacted_topic_is_landed_over_its_holes(lakehouse: Platform, kafka: Kafka, topic: Topic) -> None:
    compacting = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "500"}
    topic = replace(topic, partitions=1, settings=compacting).create()
    topic.send(range(1000), keys=50)
    wait_until("the log is compacted", lambda: _rolled(topic) and len(_held(topic)) < 500)

    held = _held(topic)
    land(lakehouse, topic.contract)
    landed = [offset for _, offset in places(lakehouse, topic.contract)]
    assert len(landed) == len(set(landed)) < 500
    # Compaction goes on meanwhile: what is left had to be landed, what was landed had to be there.
    assert set(_held(topic)) <= set(landed) <= set(held)

    topic.send(range(5000, 5100))
    assert land(lakehouse, topic.contract).consumed == 100
    assert {f"e{n}" for n in [*range(950, 1000), *range(5000, 5100)]} <= set(_events(lakehouse, topic))


def _rolled(topic: Topic) -> bool:
    """A segment is compacted only after another one was begun."""
    topic.send([999], keys=50)
    return True


def _held(topic: Topic) -> list[int]:
    """The offsets that the log holds now, as a plain consumer reads them."""
    settings = {"bootstrap.servers": topic.kafka.bootstrap, "group.id": "other", "enable.partition.eof": True}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic.name, 0, 0)])
    offsets: list[int] = []
    while (message := consumer.poll(10)) is not None and message.error() is None:
        offsets.append(message.offset())
    consumer.close()
    return offsets


def test_a_topic_that_was_deleted_and_made_again_is_refused(lakehouse: Platform, topic: Topic) -> None:
    topic.create().send(range(10))
    land(lakehouse, topic.contract)
    topic.delete()
    topic.create().send(range(100, 130))
    with pytest.raises(LogError, match=f"topic {topic.name} is not the one that was landed"):
        land(lakehouse, topic.contract)
    assert _events(lakehouse, topic) == _ids(range(10))


def test_partitions_that_are_added_are_landed_from_their_beginning(lakehouse: Platform, topic: Topic) -> None:
    topic.create().send(range(10))
    land(lakehouse, topic.contract)
    topic.grow(4)
    topic.send(range(10, 30), partition=3)
    topic.send(range(30, 35))
    assert land(lakehouse, topic.contract).consumed == 25
    assert _events(lakehouse, topic) == _ids(range(35))
    assert _offsets(lakehouse, topic) == {0: 15, 1: 0, 2: 0, 3: 20}


def test_offsets_that_expired_before_landing_are_an_error_that_names_them(lakehouse: Platform, topic: Topic) -> None:
    topic.create().send(range(10))
    land(lakehouse, topic.contract)
    topic.send(range(10, 40))
    topic.expire(0, before=25)
    expected = f"topic {topic.name} partition 0: the next offset to land is 10, the log holds offsets 25 to 40"
    with pytest.raises(LogError, match=expected):
        land(lakehouse, topic.contract)
    assert _events(lakehouse, topic) == _ids(range(10))


def test_a_topic_that_has_expired_in_part_is_landed_from_what_is_left(lakehouse: Platform, topic: Topic) -> None:
    topic.create().send(range(40))
    topic.expire(0, before=25)
    assert land(lakehouse, topic.contract).consumed == 15
    assert _events(lakehouse, topic) == _ids(range(25, 40))


def test_a_message_of_ten_megabytes_is_landed_whole(lakehouse: Platform, topic: Topic) -> None:
    topic = replace(topic, settings={"max.message.bytes": "16000000"}).create()
    topic.send([1])
    topic.send([2], pad=10_000_000)
    topic.send([3])
    assert land(lakehouse, topic.contract) == Landed(3, 0, 1)
    assert _events(lakehouse, topic) == ["e1", "e2", "e3"]
    assert max(len(row["data"]) for row in rows(lakehouse, topic.contract)) > 10_000_000


def test_a_broker_killed_in_the_middle_of_landing_loses_and_doubles_nothing(platform: Platform, tmp_path: Path) -> None:
    count = 1500
    with Kafka(tmp_path / "killed") as broker, _killed_once(broker) as kill:
        topic = Topic(broker, "killed", partitions=1).create()
        topic.send(range(count), pad=100_000)  # more than the consumer reads ahead
        killed = replace(platform, log=Interrupted(stack_log(broker), kill), batch_messages=100)
        runs = 1
        while not _lands(killed, topic):
            runs += 1
            wait_until("the broker is back", broker.is_up)
        assert runs < 10
    assert places(platform, topic.contract) == [(0, n) for n in range(count)]


def _lands(lakehouse: Platform, topic: Topic) -> bool:
    """Whether a run got to the end; one that the broker was gone for too long for is an error, and is run again."""
    try:
        land(lakehouse, topic.contract)
    except LogError:
        return False
    return True


@contextmanager
def _killed_once(broker: Kafka) -> Iterator[threading.Event]:
    """An event; once it is set, the broker is killed and started again, from a thread while the test goes on."""
    wanted, over = _Signal(), threading.Event()

    def kill_and_restart() -> None:
        if wanted.wait(120) and not over.is_set():
            broker.kill()
            broker.start()
        over.wait(120)  # a server dies with the thread that started it

    thread = threading.Thread(target=kill_and_restart)
    thread.start()
    try:
        yield wanted
        assert wanted.is_set()
    finally:
        over.set()
        wanted.set()
        thread.join()


class _Signal(threading.Event):
    """Is set by being called."""

    def __call__(self) -> None:
        self.set()
