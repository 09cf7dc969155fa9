"""One user event, its time-ordered identifier and its JSON text.

Where it stops: which events happen is `events.py`'s; how a reader casts them is the silver layer's.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple


class UserEvent(NamedTuple):
    event_id: str
    user_id: int
    event_type: str
    page: str
    timestamp_ms: int
    source: str


def event_id(at_ms: int, numbers: random.Random) -> str:
    """A version 7 UUID: the milliseconds first, so that identifiers sort by time, then random bits."""
    time, noise = f"{at_ms:012x}", numbers.getrandbits(74)
    version, variant = f"7{noise >> 62:03x}", f"{0x8000 | (noise >> 48) & 0x3FFF:04x}"
    return f"{time[:8]}-{time[8:]}-{version}-{variant}-{noise & 0xFFFF_FFFF_FFFF:012x}"


def iso(at_ms: int) -> str:
    """`2026-01-05T10:00:00.123Z`."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def to_json(event: UserEvent) -> bytes:
    """The event as the sender writes it; plain formatting, since no field holds what JSON would escape."""
    return (
        f'{{"event_id":"{event.event_id}","user_id":{event.user_id},"event_type":"{event.event_type}",'
        f'"page":"{event.page}","timestamp":"{iso(event.timestamp_ms)}","source":"{event.source}"}}'
    ).encode()
