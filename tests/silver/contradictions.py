"""Events that are told again through other partitions, with the same content or with another one."""

from __future__ import annotations

import random
from collections import Counter

import orjson

from lakehouse_assets.sources.messages import Message
from tests.scenario import events

_OTHER = ({"page": "/other"}, {"page": "/third"}, {"timestamp": "2026-01-09T12:00:00.000Z"}, {"user_id": "nobody"})


def contradicted_events(seed: int, count: int = 60) -> list[Message]:
    """A generated stream in which a third of the messages repeat or contradict an earlier event, anywhere."""
    numbers = random.Random(seed)
    told: list[Message] = []
    for message in events(seed, count).messages:
        told.append(message)
        if numbers.random() < 0.5:
            again = numbers.choice(told)
            changed = numbers.choice(_OTHER) if numbers.random() < 0.5 else {}
            told.append(again._replace(value=_changed(again.value, changed), partition=numbers.randrange(3)))
    offsets: Counter[int] = Counter()
    for i, message in enumerate(told):
        told[i] = message._replace(offset=offsets[message.partition])
        offsets[message.partition] += 1
    return told


def _changed(value: bytes | None, fields: dict[str, str]) -> bytes | None:
    try:
        return orjson.dumps({**orjson.loads(value or b""), **fields})
    except orjson.JSONDecodeError:
        return value
