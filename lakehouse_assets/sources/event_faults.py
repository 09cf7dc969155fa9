"""What goes wrong with an event on its way: bytes that are no JSON, and events that break a rule of the contract.

Where it stops: how many are spoiled is `events.py`'s; what a layer does with them is the layer's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import orjson

from lakehouse_assets.sources.user_event import UserEvent, to_json

CONFLICT = "conflicting duplicate"
"""An event with the identifier of an earlier one and other content."""

_BROKEN_FIELDS: tuple[tuple[str, str, object], ...] = (
    ("unknown event_type", "event_type", "teleport"),
    ("unknown source", "source", "fridge"),
    ("page without slash", "page", "home"),
    ("user_id below 1", "user_id", 0),
    ("user_id missing", "user_id", None),
    ("user_id no number", "user_id", "twelve"),
    ("timestamp no time", "timestamp", "yesterday"),
    ("timestamp too early", "timestamp", "2019-12-31T23:59:59.999Z"),
    ("timestamp in the future", "timestamp", "2999-01-01T00:00:00.000Z"),
)


def unreadable(event: UserEvent, numbers: random.Random) -> bytes:
    """Bytes that are no JSON text: cut off, plain words, or not even UTF-8."""
    value = to_json(event)
    return numbers.choice((value[:-9], b"connection reset by peer", b"\xff\xfe" + value))


def spoil(event: UserEvent, earlier: Sequence[UserEvent], numbers: random.Random) -> tuple[str, bytes]:
    """What is wrong, and JSON that is wrong so: one field broken, or the newest earlier event with another page."""
    fault = numbers.randrange(len(_BROKEN_FIELDS) + bool(earlier))
    if fault == len(_BROKEN_FIELDS):
        return CONFLICT, to_json(earlier[-1]._replace(page="/changed"))
    reason, name, value = _BROKEN_FIELDS[fault]
    return reason, orjson.dumps({**orjson.loads(to_json(event)), name: value})
