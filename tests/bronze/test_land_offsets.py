"""Where landing goes on: another topic, offsets outside the log, expired marks. Nothing is skipped in silence."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog

from lakehouse_assets.bronze.land import Landed, land, state
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.engines.iceberg.tables import ensure
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append
from tests.other_engine import maintain_from_outside

from .lander import EVENTS, Interrupted, event, places, rows, write_events


def test_a_topic_made_again_is_refused_with_both_identities(platform: Platform) -> None:
    write_events(platform, [event(0)])
    land(platform, EVENTS)
    landed = platform.log.identity(EVENTS.topic)
    shutil.rmtree(platform.home / "events" / EVENTS.topic)
    write_events(platform, [event(0), event(1)])
    present = platform.log.identity(EVENTS.topic)
    with pytest.raises(LogError, match=rf"topic user-events is not .*id {present}, landed {landed}"):
        land(platform, EVENTS)
    shutil.rmtree(platform.home / "events" / EVENTS.topic)
    with pytest.raises(LogError, match=rf"id None, landed {landed}"):
        land(platform, EVENTS)
    assert places(platform, EVENTS) == [(0, 0)]


def test_a_topic_made_again_while_it_is_landed_is_noticed(platform: Platform) -> None:
    write_events(platform, [event(n) for n in range(4)])

    def made_again() -> None:
        (platform.home / "events" / EVENTS.topic / "topic-id").write_text("another\n")

    with pytest.raises(LogError, match="id another"):
        land(replace(platform, log=Interrupted(platform.log, made_again)), EVENTS)
    assert rows(platform, EVENTS) == []


@pytest.mark.parametrize(("kept", "there"), [(slice(4, None), "offsets 4 to 6"), (slice(0, 1), "offsets 0 to 1")])
def test_messages_gone_before_they_landed_are_an_error_with_partition_and_both_offsets(
    platform: Platform, kept: slice, there: str
) -> None:
    write_events(platform, [event(n) for n in range(3)])
    land(platform, EVENTS)
    write_events(platform, [event(n) for n in range(3)])
    path = platform.home / "events" / EVENTS.topic / "0.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[kept]))
    with pytest.raises(LogError, match=rf"topic user-events partition 0: the next offset to land is 3, .* {there}"):
        land(platform, EVENTS)
    path.unlink()
    with pytest.raises(LogError, match="partition 0: the next offset to land is 3, the log holds no such partition"):
        land(platform, EVENTS)


def test_messages_that_expired_after_they_landed_do_no_harm(platform: Platform) -> None:
    write_events(platform, [event(n) for n in range(3)])
    land(platform, EVENTS)
    write_events(platform, [event(3)])
    path = platform.home / "events" / EVENTS.topic / "0.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[3])
    assert land(platform, EVENTS).consumed == 1


def test_a_log_that_begins_above_zero_is_landed_from_where_it_begins(platform: Platform) -> None:
    append(platform.home / "events", [Message(EVENTS.topic, 0, 40 + n, 1, None, event(n)) for n in range(2)])
    land(platform, EVENTS)
    assert places(platform, EVENTS) == [(0, 40), (0, 41)]


def test_offsets_survive_the_snapshots_that_held_them(platform: Platform, lake: Catalog) -> None:
    write_events(platform, [event(n) for n in range(3)])
    land(platform, EVENTS)
    known = state(lake.load_table(spec(EVENTS).identifier))
    maintain_from_outside(lake, spec(EVENTS).identifier)
    assert state(lake.load_table(spec(EVENTS).identifier)) == known
    assert land(platform, EVENTS) == Landed()


def test_an_empty_table_of_an_older_version_grows_and_takes_rows(platform: Platform, lake: Catalog) -> None:
    whole = spec(EVENTS)
    older = pa.schema([f for f in whole.schema if f.name not in ("headers", "record_hash", "source_gtid")])
    ensure(lake, replace(whole, schema=older))
    write_events(platform, [event(0), b"hello"])
    assert land(platform, EVENTS) == Landed(2, 1, 1)
    assert all(len(r["record_hash"]) == 32 for r in rows(platform, EVENTS))
