"""What a log of events must offer, whichever system keeps it: identities, bounds and bounded reads by offset.

Where it stops: what a message means is `engines/debezium` and `bronze`'s; offsets that were consumed are the table's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from lakehouse_assets.mendable import Mendable

MESSAGES = pa.schema(
    [
        pa.field("partition", pa.int32(), False),
        pa.field("offset", pa.int64(), False),
        pa.field("timestamp_ms", pa.int64()),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", pa.map_(pa.string(), pa.string())),
    ]
)
"""One row per message, in the order of offsets within a partition."""


BATCH_BYTES = 128 * 1024 * 1024


class LogError(Mendable):
    """The log cannot be read as it is; the message names topic, partition and offset, and what to do."""


@dataclass(frozen=True)
class Bounds:
    """`start` is the first offset still there, `end` the one that the next message will get."""

    start: int
    end: int


@dataclass(frozen=True)
class Batch:
    """`messages` as MESSAGES; `next_offsets` is where each read partition goes on, beyond holes too."""

    messages: pa.Table
    next_offsets: Mapping[int, int]


def is_full(waiting: Sequence[pa.Table], limit: int) -> bool:
    """Whether a batch of these messages must close: at `limit` messages or at BATCH_BYTES."""
    return sum(w.num_rows for w in waiting) >= limit or sum(int(w.nbytes) for w in waiting) >= BATCH_BYTES


class EventLog(Protocol):
    def identity(self, topic: str) -> str | None:
        """The topic's own id, another one after it was deleted and made again; None where there is no topic."""

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        """Every partition's bounds; empty where there is no topic."""

    def read(self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], limit: int) -> Iterator[Batch]:
        """Batches of at most about `limit` messages from `starts` up to before `ends`. Raises LogError."""

    def check(self) -> None:
        """Raises LogError where the log cannot be reached."""
