"""Kafka as an event log, against librdkafka's own broker in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_assets.bronze.land import land
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.log import kafka_log, log
from lakehouse_assets.engines.log.kafka_log import KafkaLog
from lakehouse_assets.engines.log.log import MESSAGES, Batch, Bounds, LogError
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.freshness import lags
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append

from ...scenario import events
from .broker import Broker, NamedLog

TOPIC = "lab.t"
EVENTS = registry.table("clickstream_user_events")
STAMP = 1_767_571_200_000
NOBODY = {"bootstrap.servers": "127.0.0.1:1"}


@pytest.fixture
def broker() -> Broker:
    return Broker()


def _message(n: int, partition: int = 0, **changes: Any) -> Message:
    return Message(TOPIC, partition, n, STAMP + n, b"k%d" % n, b"v%d" % n)._replace(**changes)


def _sent(broker: Broker, counts: Mapping[int, int]) -> list[tuple[int, int, bytes]]:
    """`counts` messages per partition; the rows that a reader must get."""
    broker.send(_message(n, p) for p, count in counts.items() for n in range(count))
    return [(p, n, b"v%d" % n) for p, count in counts.items() for n in range(count)]


def _rows(batches: list[Batch]) -> list[tuple[int, int, bytes]]:
    found = [row for batch in batches for row in batch.messages.to_pylist()]
    return [(row["partition"], row["offset"], row["value"]) for row in found]


def _whole(log: KafkaLog, limit: int = 1000) -> list[Batch]:
    bounds = log.bounds(TOPIC)
    return list(log.read(TOPIC, {p: b.start for p, b in bounds.items()}, {p: b.end for p, b in bounds.items()}, limit))


@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_every_message_is_read_once_over_partitions_and_batches(broker: Broker, limit: int) -> None:
    sent = _sent(broker, {0: 25, 1: 1, 3: 30})
    batches = _whole(KafkaLog(broker.settings), limit)
    assert sorted(_rows(batches)) == sent
    assert all(batch.messages.num_rows <= limit for batch in batches)
    assert all(batch.messages.schema.equals(MESSAGES) for batch in batches)
    reached: dict[int, int] = {}
    for batch in batches:
        reached.update(batch.next_offsets)
        last = {p: n for p, n, _ in _rows([batch])}
        assert all(reached[p] == n + 1 for p, n in last.items())
    assert reached == {0: 25, 1: 1, 3: 30}


def test_offsets_within_a_partition_come_in_order(broker: Broker) -> None:
    _sent(broker, {0: 3000, 1: 2000})
    found = _rows(_whole(KafkaLog(broker.settings), 500))
    for partition, count in {0: 3000, 1: 2000}.items():
        assert [n for p, n, _ in found if p == partition] == list(range(count))


def test_reading_goes_on_where_it_is_told_and_stops_before_the_end_it_is_told(broker: Broker) -> None:
    _sent(broker, {0: 50, 1: 50})
    log = KafkaLog(broker.settings)
    batches = list(log.read(TOPIC, {0: 10, 1: 49}, {0: 20, 1: 50}, 1000))
    assert sorted(_rows(batches)) == [(0, n, b"v%d" % n) for n in range(10, 20)] + [(1, 49, b"v49")]
    assert {p: o for batch in batches for p, o in batch.next_offsets.items()} == {0: 20, 1: 50}
    assert list(log.read(TOPIC, {0: 20, 1: 50}, {0: 20, 1: 50}, 1000)) == []


def test_a_reader_that_stops_after_a_batch_resumes_without_loss_or_repetition(broker: Broker) -> None:
    sent = _sent(broker, {0: 40, 2: 40})
    log = KafkaLog(broker.settings)
    at, found = {0: 0, 2: 0}, []
    while at != {0: 40, 2: 40}:
        batch = next(log.read(TOPIC, at, {0: 40, 2: 40}, 9))
        found += _rows([batch])
        at.update(batch.next_offsets)
    assert sorted(found) == sent


def test_a_batch_closes_when_its_bytes_are_enough(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "BATCH_BYTES", 100_000)
    monkeypatch.setattr(kafka_log, "_CHUNK", 2)
    broker.send(_message(n, value=b"x" * 60_000) for n in range(10))
    batches = _whole(KafkaLog(broker.settings), 10_000)
    assert max(batch.messages.num_rows for batch in batches) <= 3
    assert [n for _, n, _ in _rows(batches)] == list(range(10))


def test_tombstones_bytes_keys_headers_and_times_arrive_as_they_were_sent(broker: Broker) -> None:
    headers: Any = (("trace", b"\xc3\xa9"), ("trace", b"2"), ("binary", b"a\xff"), ("none", None))
    broker.send(
        [
            _message(0, value=None),
            _message(1, key=None, value=b""),
            _message(2, key=b"\x00\xff", value=b"\x80\x00"),
            _message(3, headers=headers),
        ]
    )
    [batch] = _whole(KafkaLog(broker.settings))
    tombstone, empty, raw, headed = batch.messages.to_pylist()
    assert (tombstone["key"], tombstone["value"], tombstone["headers"]) == (b"k0", None, None)
    assert (empty["key"], empty["value"]) == (None, b"")
    assert (raw["key"], raw["value"], raw["timestamp_ms"]) == (b"\x00\xff", b"\x80\x00", STAMP + 2)
    assert headed["headers"] == [("trace", "é"), ("trace", "2"), ("binary", r"a\xff"), ("none", None)]


def test_bounds_name_every_partition_and_no_topic_has_none(broker: Broker) -> None:
    _sent(broker, {0: 3, 2: 1})
    log = KafkaLog(broker.settings)
    assert log.bounds(TOPIC) == {0: Bounds(0, 3), 1: Bounds(0, 0), 2: Bounds(0, 1), 3: Bounds(0, 0)}
    assert log.bounds("lab.absent") == {}
    assert log.identity("lab.absent") is None


def test_a_broker_that_tells_no_topic_id_is_refused(broker: Broker) -> None:
    _sent(broker, {0: 1})
    with pytest.raises(LogError, match=TOPIC):
        KafkaLog(broker.settings, timeout_seconds=1).identity(TOPIC)


@pytest.mark.parametrize("start", [50, 4])
def test_an_offset_that_the_log_does_not_hold_is_an_error_and_never_a_jump(broker: Broker, start: int) -> None:
    _sent(broker, {0: 3})
    log = KafkaLog(broker.settings)
    with pytest.raises(LogError, match=f"topic {TOPIC} partition 0, offset {start}: the log holds offsets 0 to 3"):
        list(log.read(TOPIC, {0: start}, {0: 60}, 10))


def test_an_end_that_never_comes_is_an_error_that_says_what_is_missing(broker: Broker) -> None:
    _sent(broker, {0: 3})
    with pytest.raises(LogError, match=f"topic {TOPIC}: .* partition 0 at offset 3 of 5; run again"):
        list(KafkaLog(broker.settings, stall_seconds=0.5).read(TOPIC, {0: 0}, {0: 5}, 10))


def test_a_broker_that_is_gone_while_reading_is_an_error_in_bounded_time(broker: Broker) -> None:
    _sent(broker, {0: 3})
    log = KafkaLog(broker.settings, timeout_seconds=1, stall_seconds=1)
    broker.stop()
    began = time.monotonic()
    with pytest.raises(LogError, match=f"topic {TOPIC}: .* partition 0 at offset 0 of 3"):
        list(log.read(TOPIC, {0: 0}, {0: 3}, 10))
    assert time.monotonic() - began < 10


def test_an_unreachable_broker_is_a_clear_error_in_bounded_time() -> None:
    log = KafkaLog(NOBODY, timeout_seconds=0.5)
    began = time.monotonic()
    with pytest.raises(LogError, match=r"Kafka at 127\.0\.0\.1:1 does not answer: .*; run again"):
        log.check()
    for ask in (log.bounds, log.identity):
        with pytest.raises(LogError, match=f"topic {TOPIC}: Kafka at"):
            ask(TOPIC)
    assert time.monotonic() - began < 10


def test_a_wrong_setting_is_an_error_of_the_log_and_passwords_are_in_no_text() -> None:
    log = KafkaLog({**NOBODY, "sasl.password": "hunter2", "security.protocol": "carrier-pigeon"})
    with pytest.raises(LogError, match=r"security\.protocol") as raised:
        log.check()
    assert "hunter2" not in f"{log!r}{raised.value}"


@pytest.fixture
def through_kafka(platform: Platform, broker: Broker, tmp_path: Path) -> Iterator[Platform]:
    """Another lakehouse than `platform`, whose log is the broker."""
    home = tmp_path / "kafka"
    home.mkdir()
    catalog = SqlCatalog("lakehouse", uri=f"sqlite:///{home / 'catalog.db'}", warehouse=f"file://{home / 'warehouse'}")
    yield replace(platform, home=home, log=NamedLog(broker.settings), open_catalog=lambda: catalog, batch_messages=90)
    catalog.close()


def test_landing_from_kafka_gives_the_same_rows_as_from_files(
    platform: Platform, through_kafka: Platform, broker: Broker
) -> None:
    for half in (events(seed=5, count=150).messages, events(seed=6, count=250).messages):
        append(platform.home / "events", half)
        broker.send(half)
        for lakehouse in (platform, through_kafka):
            assert land(lakehouse, EVENTS).consumed == len(half)
            assert land(lakehouse, EVENTS).consumed == 0
    assert _bronze(through_kafka) == _bronze(platform)


def test_what_waits_in_kafka_and_since_when_is_what_waits_in_files(
    platform: Platform, through_kafka: Platform, broker: Broker
) -> None:
    halves = (events(seed=5, count=150).messages, events(seed=6, count=250).messages)
    for half in halves:
        append(platform.home / "events", half)
        broker.send(half)
        of_files, of_kafka = (lags(lakehouse, [EVENTS])[EVENTS.id] for lakehouse in (platform, through_kafka))
        assert (of_kafka.problem, of_kafka.waiting, of_kafka.oldest) == (None, of_files.waiting, of_files.oldest)
        assert of_kafka.waiting == len(half)
        for lakehouse in (platform, through_kafka):
            land(lakehouse, EVENTS)
            landed = lags(lakehouse, [EVENTS])[EVENTS.id]
            assert (landed.problem, landed.waiting, landed.seconds) == (None, 0, 0.0)


def _bronze(platform: Platform) -> list[dict[str, Any]]:
    """Without the time of landing."""
    landed = platform.open_catalog().load_table(spec(EVENTS).identifier).scan().to_arrow()
    rows = landed.drop_columns(["ingestion_timestamp"]).to_pylist()
    return sorted(rows, key=lambda row: (row["partition"], row["offset"]))
