"""Which messages are valid, and the count of all of them: consumed = landed, of which some are dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from .files import lines_of
from .inputs import Inputs, Message
from .tables import Table, table

OPS = frozenset("crudtm")
BESIDE_CHANGES = (
    {"ts_ms"},
    {"status", "id", "event_count", "data_collections", "ts_ms"},
    {"source", "ts_ms", "databaseName", "schemaName", "ddl", "tableChanges"},
)
"""Heartbeats, the begin and end of transactions, changes of the schema."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that is not valid, and why."""

    topic: str
    partition: int
    offset: int
    reason: str


@dataclass(frozen=True)
class Accounting:
    """A table's messages: all of them landed; `dead` and `tombstones` are rows of bronze that silver does not read."""

    consumed: int
    tombstones: int
    dead: tuple[DeadLetter, ...]


class Invalid(ValueError):
    """The reason why a message is a dead letter."""


@cache
def accounting(inputs: Inputs, table_id: str) -> Accounting:
    """What bronze holds of a table. A CSV row whose field count is not the header's is a dead letter."""
    described = table(table_id)
    if described.feed == "files":
        lines = lines_of(inputs, described)
        dead = [
            DeadLetter(described.topic, 0, line.offset, "not as many fields as the header")
            for line in lines
            if line.row is None
        ]
        return Accounting(len(lines), 0, tuple(dead))
    messages = inputs.messages.get(described.topic, ())
    dead = []
    for message in messages:
        try:
            content_of(described, message)
        except Invalid as reason:
            dead.append(DeadLetter(message.topic, message.partition, message.offset, str(reason)))
    return Accounting(len(messages), sum(message.value is None for message in messages), tuple(dead))


def valid_contents(inputs: Inputs, described: Table) -> Iterator[tuple[Message, dict[str, Any]]]:
    """Each valid message that is not a tombstone, with its JSON object, by partition and offset."""
    for message in inputs.messages.get(described.topic, ()):
        try:
            content = content_of(described, message)
        except Invalid:
            continue
        if content is not None:
            yield message, content


def content_of(described: Table, message: Message) -> dict[str, Any] | None:
    """The message's JSON object; raises Invalid for a dead letter.

    None for a tombstone (a null payload) and for what Debezium tells beside changes.
    """
    if message.value is None:
        return None
    content = _json_object(message.value)
    if described.feed != "events":
        if set(content) in BESIDE_CHANGES:
            return None
        _check_envelope(described, message, content)
    return content


def _json_object(value: bytes) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        content = json.loads(value.decode("utf-8"), parse_constant=refuse)
    except ValueError as error:
        raise Invalid("not JSON") from error
    if not isinstance(content, dict):
        raise Invalid("not an object")
    return content


def _check_envelope(described: Table, message: Message, envelope: dict[str, Any]) -> None:
    """Op, source with time and position, the row image that the op needs, and the key.

    A truncate (t) has no key; of a logical message (m), which nothing reads, only op and source are asked.
    """
    op, source = envelope.get("op"), envelope.get("source")
    if op is None or not isinstance(source, dict):
        raise Invalid("missing op or source")
    if op not in OPS:
        raise Invalid(f"unknown op {op!r}")
    if op == "m":
        return
    if not isinstance(source.get("ts_ms"), int):
        raise Invalid("missing source.ts_ms")
    place = ("lsn",) if described.feed == "postgresql" else ("file", "pos")
    if any(source.get(part) is None for part in place):
        raise Invalid("missing source position")
    if op == "t":
        return
    if op != "d" and not isinstance(envelope.get("after"), dict):
        raise Invalid("missing after")
    if key_of(described, message) is None:
        raise Invalid("missing key")


def key_of(described: Table, message: Message) -> dict[str, Any] | None:
    """The raw values of the key's columns in the message's key; None where one is missing."""
    try:
        key = json.loads(message.key or "null")
    except ValueError:
        return None
    found = {name: key.get(name) for name in described.key} if isinstance(key, dict) else {}
    return found if found and None not in found.values() else None
