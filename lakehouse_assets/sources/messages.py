"""A message as the event log keeps it, before it is written.

Where it stops: no file and no broker; `writer.py` appends messages to the log in files.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple


class Message(NamedTuple):
    """One record of a topic.

    `offset` counts from 0 in what one generator hands over; the writer adds where the partition ends.
    A `value` of None is a tombstone.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, str], ...] = ()


def partition_of(key: bytes | None, partitions: int) -> int:
    """The partition of a key: the same one in every run and on every machine; 0 where there is no key."""
    return zlib.crc32(key) % partitions if key is not None else 0
