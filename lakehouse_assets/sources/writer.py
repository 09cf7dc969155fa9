"""Appends messages to the event log in files: `<events>/<topic>/<partition>.jsonl`, a line as `kcat -C -J` prints it.

What is not UTF-8 goes to `payload_base64` in the payload's place. A line that a crash left unterminated never was
part of the log: it is cut off before anything is appended. Where it stops: reading the log is the engines' business.
"""

from __future__ import annotations

import base64
import gzip
import os
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import orjson
from filelock import FileLock

from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.sources.messages import Message

_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_BLOCK = 1 << 16
_CAPTURE = ".jsonl.gz"


def append(events: Path, messages: Iterable[Message]) -> dict[tuple[str, int], int]:
    """Append at the end of each partition, keeping the messages' distances; the next offset of every one touched.

    Raises ValueError for a topic that cannot be a folder, and LogError where the last line is not a message.
    """
    by_topic: dict[str, dict[int, list[Message]]] = defaultdict(lambda: defaultdict(list))
    for message in messages:
        by_topic[message.topic][message.partition].append(message)
    ends: dict[tuple[str, int], int] = {}
    for topic, partitions in by_topic.items():
        with _locked_topic(events, topic) as folder:
            for partition, batch in sorted(partitions.items()):
                ends[topic, partition] = _append_messages(folder / f"{partition}.jsonl", batch)
    return ends


def copy_capture(capture: Path, events: Path) -> dict[str, int]:
    """Append each recorded `<topic>.jsonl.gz` of a folder, from where the log's partitions end; lines added per topic.

    Lines keep their offsets, so that a second copy adds nothing.
    """
    return {
        path.name.removesuffix(_CAPTURE): _copy_topic(path, events) for path in sorted(capture.glob(f"*{_CAPTURE}"))
    }


def next_offset(path: Path) -> int:
    """The offset that the next message of a partition's file gets: 0 where there is no file or no line."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        _, last = _tail(file)
    return _offset_after(path, last)


@contextmanager
def _locked_topic(events: Path, topic: str) -> Iterator[Path]:
    if not _TOPIC.fullmatch(topic):
        raise ValueError(f"topic {topic!r} is not a topic's name: letters, digits, '.', '_' and '-', at most 249")
    folder = events / topic
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        identity = folder / "topic-id"
        if not identity.exists():
            fresh = folder / ".topic-id"
            fresh.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
            with suppress(FileExistsError):  # a reader that came first may have named the topic
                identity.hardlink_to(fresh)
            fresh.unlink()
        yield folder


def _append_messages(path: Path, messages: Sequence[Message]) -> int:
    start = _heal(path)
    _append_lines(path, (_line(m, start + m.offset) for m in messages))
    return start + messages[-1].offset + 1


def _append_lines(path: Path, lines: Iterable[bytes]) -> None:
    try:
        with path.open("ab") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # of a full disk, which does not say where
        raise OSError(error.errno, error.strerror, str(path)) from error


def _line(message: Message, offset: int) -> bytes:
    fields: dict[str, Any] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": offset,
        "tstype": "create",
        "ts": message.timestamp_ms,
        "broker": 0,
    }
    if message.headers:
        fields["headers"] = [text for header in message.headers for text in header]
    fields["key"] = None if message.key is None else message.key.decode()
    fields.update(_payload(message.value))
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def _payload(value: bytes | None) -> Mapping[str, str | None]:
    if value is None:
        return {"payload": None}
    try:
        return {"payload": value.decode()}
    except UnicodeDecodeError:
        return {"payload_base64": base64.b64encode(value).decode()}


def _heal(path: Path) -> int:
    """Cut an unterminated last line off; the next offset."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        end, last = _tail(file)
        file.truncate(end)
    return _offset_after(path, last)


def _offset_after(path: Path, line: bytes) -> int:
    if not line:
        return 0
    try:
        return int(orjson.loads(line)["offset"]) + 1
    except (orjson.JSONDecodeError, KeyError, TypeError) as e:
        raise LogError(f"{path}: the last line is not a message: {line[:80]!r}; mend or remove the line") from e


def _tail(file: IO[bytes]) -> tuple[int, bytes]:
    """Where the last terminated line of a file ends, and that line; (0, b"") where there is none."""
    size = file.seek(0, os.SEEK_END)
    block = _BLOCK
    while True:
        start = max(0, size - block)
        file.seek(start)
        data = file.read(size - start)
        newline = data.rfind(b"\n")
        before = data.rfind(b"\n", 0, newline) if newline > 0 else -1
        if newline >= 0 and (before >= 0 or start == 0):
            return start + newline + 1, data[before + 1 : newline]
        if start == 0:
            return 0, b""
        block *= 4


def _copy_topic(path: Path, events: Path) -> int:
    lines: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    with gzip.open(path, "rb") as recorded:
        for line in recorded:
            fields = orjson.loads(line)
            lines[fields["partition"]].append((fields["offset"], line.rstrip(b"\n") + b"\n"))
    added = 0
    with _locked_topic(events, path.name.removesuffix(_CAPTURE)) as folder:
        for partition, recorded_lines in sorted(lines.items()):
            log = folder / f"{partition}.jsonl"
            start = _heal(log)
            new = [line for offset, line in recorded_lines if offset >= start]
            _append_lines(log, new)
            added += len(new)
    return added
