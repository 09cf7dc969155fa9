"""Landing, compaction and expiry of one table at the same time: none starves, and no message is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TypeVar

from lakehouse_assets.bronze.land import Landed, land
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.compaction import Compacted, Sizes, compact
from lakehouse_assets.operations.expiry import Expired, expire

from ..bronze.doomed import catalog_of
from ..bronze.lander import EVENTS, counts, event, places, write_events

BRONZE = spec(EVENTS).identifier
LANDINGS = 25
T = TypeVar("T")


def test_landing_without_a_pause_beside_compaction_and_expiry_starves_none_and_loses_nothing(
    platform: Platform,
) -> None:
    write_events(platform, [event(0)])
    land(platform, EVENTS)
    ended = Event()
    with ThreadPoolExecutor(2) as beside:
        compacted = beside.submit(_until, ended, platform, _compact)
        expired = beside.submit(_until, ended, platform, _expire)
        for n in range(1, LANDINGS):
            write_events(platform, [event(n), b"no JSON"])
            assert land(platform, EVENTS) == Landed(2, 1, 1)
        ended.set()
    assert sum(each.snapshot_id is not None for swapped in compacted.result() for each in swapped) >= 3
    assert sum(each.snapshots > 0 for each in expired.result()) >= 3
    assert places(platform, EVENTS) == [(0, n) for n in range(2 * LANDINGS - 1)]
    assert counts(platform, EVENTS) == (2 * LANDINGS - 1, LANDINGS, LANDINGS - 1)


def _until(ended: Event, platform: Platform, maintain: Callable[[Platform], T]) -> list[T]:
    """What each of its runs did, with a catalog of its own, as another process has it."""
    done = []
    with closing(catalog_of(platform.home)) as catalog:
        while not ended.is_set():
            done.append(maintain(replace(platform, open_catalog=lambda: catalog)))
    return done


def _compact(platform: Platform) -> list[Compacted]:
    return list(compact(platform, BRONZE, Sizes(least_files=2)))


def _expire(platform: Platform) -> Expired:
    """All but the newest few snapshots, whatever their age."""
    return expire(platform, BRONZE, datetime.now(UTC) + timedelta(days=30))
