"""The raw inputs: the log's messages and the landed CSV files, read as they are and judged elsewhere."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

Encoding = Literal["string", "default"]
Row = dict[str, Any]
Rows = list[Row]
Epochs = Mapping[str, Sequence[Mapping[int, int]]]


@dataclass(frozen=True)
class Message:
    """One message of the log. `value` is None for a null payload."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything that was ever given to the lakehouse.

    `messages` are a topic's, by partition and offset. `files` are a table's CSV files in landing order.
    `encoding` says how Debezium wrote decimals and times: "string" (decimal string, isostring) or "default".
    `today` bounds event dates. `epochs` are a topic's: for each time that its source's log began anew the first offset
    per partition from which the new log tells, 0 where a partition is not named.
    """

    messages: Mapping[str, tuple[Message, ...]]
    files: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    encoding: Encoding = "string"
    today: date = date(2100, 1, 1)
    epochs: Epochs = field(default_factory=dict)


def inputs_of(
    messages: Iterable[Message],
    files: Mapping[str, Iterable[bytes]] | None = None,
    *,
    encoding: Encoding = "string",
    today: date | None = None,
    epochs: Epochs | None = None,
) -> Inputs:
    """Inputs of messages in any order and of CSV contents per table id (`retail_orders`) in landing order."""
    by_topic: dict[str, list[Message]] = {}
    for message in sorted(messages, key=lambda each: (each.topic, each.partition, each.offset)):
        by_topic.setdefault(message.topic, []).append(message)
    return Inputs(
        {topic: tuple(each) for topic, each in by_topic.items()},
        {table_id: tuple(contents) for table_id, contents in (files or {}).items()},
        encoding,
        today or datetime.now(UTC).date(),
        epochs or {},
    )


def json_message(topic: str, offset: int, value: Any, key: Any = None, partition: int = 0) -> Message:
    """A message of a value and a key that are written as JSON; bytes and None are the payload as they are."""
    payload = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return Message(topic, partition, offset, None if key is None else json.dumps(key), payload)


def read_home(
    home: Path, *, encoding: Encoding = "string", today: date | None = None, epochs: Epochs | None = None
) -> Inputs:
    """The inputs in a LAKEHOUSE_HOME: `events/<topic>/<partition>.jsonl` and `files/<source>/<table>/*.csv`."""
    logs = sorted((home / "events").glob("*/*.jsonl"))
    messages = [message for log in logs for message in parse_lines(log.read_bytes())]
    files: dict[str, list[bytes]] = {}
    for path in sorted((home / "files").glob("*/*/*.csv"), key=lambda each: each.name):
        files.setdefault(f"{path.parent.parent.name}_{path.parent.name}", []).append(path.read_bytes())
    return inputs_of(messages, files, encoding=encoding, today=today, epochs=epochs)


def read_capture(folder: Path, *, encoding: Encoding) -> Inputs:
    """The inputs in a folder of recorded topics, `<topic>.jsonl.gz` or `<topic>.jsonl`."""
    messages = [message for path in sorted(folder.glob("*.jsonl")) for message in parse_lines(path.read_bytes())]
    for path in sorted(folder.glob("*.jsonl.gz")):
        messages += parse_lines(gzip.decompress(path.read_bytes()))
    return inputs_of(messages, encoding=encoding)


def parse_lines(log: bytes) -> list[Message]:
    """The messages of kcat's lines. A last line without a line break is still being written: it does not count."""
    return [_message(json.loads(line)) for line in log.split(b"\n")[:-1] if line.strip()]


def _message(line: Mapping[str, Any]) -> Message:
    payload, encoded = line.get("payload"), line.get("payload_base64")
    value = base64.b64decode(encoded) if encoded is not None else None
    if payload is not None:
        # A lone surrogate has no UTF-8 form: it passes here and is found not to be JSON later.
        value = payload.encode("utf-8", "surrogatepass")
    return Message(line["topic"], line["partition"], line["offset"], line.get("key"), value)
