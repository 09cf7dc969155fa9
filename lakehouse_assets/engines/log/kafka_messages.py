"""Kafka's messages as the tables that every reader of a log gets.

Where it stops: what a value means is bronze's; errors and ends of partitions are `kafka_log`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lakehouse_assets.engines.log.log import MESSAGES


def as_table(messages: Sequence[Any]) -> pa.Table:
    """MESSAGES of confluent-kafka's messages, of which none is an error."""
    stamps = [m.timestamp() for m in messages]
    columns: list[list[Any]] = [
        [m.partition() for m in messages],
        [m.offset() for m in messages],
        [ms if kind else None for kind, ms in stamps],  # kind 0: the message has no timestamp
        [m.key() for m in messages],
        [m.value() for m in messages],
        [_headers(m.headers()) for m in messages],
    ]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, MESSAGES, strict=True)], schema=MESSAGES)


def _headers(pairs: Sequence[tuple[str, bytes | None]] | None) -> list[tuple[str, str | None]] | None:
    r"""Values as UTF-8; a byte that is not is written `\xff`. A name may come twice, as in Kafka."""
    if not pairs:
        return None
    return [(name, None if value is None else value.decode("utf-8", "backslashreplace")) for name, value in pairs]
