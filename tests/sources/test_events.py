"""The event stream: the same for the same seed, in the proportions that were asked for, and true to its truth."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from lakehouse_assets.contracts import registry
from lakehouse_assets.sources.event_faults import CONFLICT
from lakehouse_assets.sources.events import START, EventStream, Traffic

FAULTY = Traffic(duplicates=0.05, dead=0.03, rejected=0.08, late=0.05)


def test_the_same_seed_gives_the_same_events_and_another_seed_others() -> None:
    assert EventStream(FAULTY).take(500) == EventStream(FAULTY).take(500)
    assert EventStream(Traffic(seed=1)).take(5).messages != EventStream(Traffic(seed=2)).take(5).messages


def test_taking_in_pieces_gives_what_taking_at_once_gives() -> None:
    stream = EventStream(FAULTY)
    pieces = [m._replace(offset=0) for count in (1, 999, 700) for m in stream.take(count).messages]
    assert pieces == [m._replace(offset=0) for m in EventStream(FAULTY).take(1700).messages]


def test_four_of_five_events_come_from_active_users_and_the_user_base_grows_from_100() -> None:
    stream = EventStream()
    truth = stream.take(20_000).truth
    assert truth.from_active / 20_000 == pytest.approx(0.8, abs=0.01)
    assert stream.users > 200
    assert {e.user_id for e in truth.valid} <= set(range(1, stream.users + 1))


def test_there_are_more_clicks_than_logins_than_purchases_and_only_what_the_contract_knows() -> None:
    valid = EventStream().take(10_000).truth.valid
    types = Counter(e.event_type for e in valid)
    assert types["click"] > types["login"] > types["purchase"] > types["logout"] > 0
    table = registry.table("clickstream_user_events")
    assert set(types) == set(table.column("event_type").rules[0].values)
    assert {e.source for e in valid} == {"web", "mobile"}
    assert {"/home", "/products", "/cart"} <= {e.page for e in valid}


def test_events_come_at_the_rate_that_was_asked_for() -> None:
    messages = EventStream(Traffic(rate=5)).take(5000).messages
    assert (messages[-1].timestamp_ms - messages[0].timestamp_ms) / 1000 == pytest.approx(1000, rel=0.05)


def test_a_live_producer_gets_what_is_due_by_a_moment_and_then_goes_on() -> None:
    stream, moment = EventStream(), START + timedelta(minutes=1)
    due = stream.until(moment).messages
    assert all(m.timestamp_ms <= moment.timestamp() * 1000 for m in due)
    assert stream.until(moment).messages == []
    assert [m.value for m in (*due, *stream.take(1).messages)] == [
        m.value for m in EventStream().take(len(due) + 1).messages
    ]
    assert len(due) == pytest.approx(300, rel=0.3)


def test_an_event_id_is_a_version_7_uuid_of_the_event_s_own_millisecond() -> None:
    for message in EventStream(Traffic(late=0.2)).take(200).messages:
        event = json.loads(message.value or b"")
        identity, at = uuid.UUID(event["event_id"]), datetime.fromisoformat(event["timestamp"])
        assert (identity.version, identity.variant) == (7, uuid.RFC_4122)
        assert datetime.fromtimestamp((identity.int >> 80) / 1000, UTC) == at


def test_all_events_of_a_user_are_in_one_of_three_partitions_in_order() -> None:
    messages = EventStream(FAULTY).take(2000).messages
    partitions: dict[bytes | None, set[int]] = {}
    for m in messages:
        partitions.setdefault(m.key, set()).add(m.partition)
    assert all(len(p) == 1 for p in partitions.values())
    for partition in range(3):
        offsets = [m.offset for m in messages if m.partition == partition]
        assert offsets == list(range(len(offsets)))
        times = [m.timestamp_ms for m in messages if m.partition == partition]
        assert all(a <= b for a, b in pairwise(times))


def test_the_truth_counts_every_message_once() -> None:
    batch = EventStream(FAULTY).take(5000)
    truth = batch.truth
    assert truth.messages == len(batch.messages) == 5000
    readable, first = [], {}
    for message in batch.messages:
        try:
            readable.append(json.loads((message.value or b"").decode()))
        except ValueError:
            continue
    assert truth.dead == 5000 - len(readable) > 0
    valid = {e.event_id: e for e in truth.valid}
    copies = conflicts = 0
    for event in (e for e in readable if e["event_id"] in valid):
        known = first.setdefault(event["event_id"], event)
        copies += known is not event and known == event
        conflicts += known != event
    assert set(first) == set(valid)
    assert (copies, conflicts) == (truth.duplicates, truth.rejected[CONFLICT])
    assert len(readable) == len(valid) + copies + truth.rejected.total()


def test_every_rejected_event_breaks_a_rule_or_a_type_of_the_contract() -> None:
    batch = EventStream(Traffic(rejected=1.0)).take(300)
    assert batch.truth.valid == []
    assert batch.truth.rejected.keys() >= {"unknown event_type", "timestamp in the future", "user_id missing"}
