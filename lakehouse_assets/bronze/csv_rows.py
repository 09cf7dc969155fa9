"""A CSV file as records: the bytes of each record as they stand, and its fields or the reason why there are none.

Where it stops: every field is text here; which file is landed, and when, is `land_files`'.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BufferedIOBase

import orjson

from lakehouse_assets.mendable import Mendable


class UnreadableFile(Mendable):
    """A file that cannot be landed at all; the message names file, line and the fix."""


@dataclass(frozen=True)
class Record:
    """`data` is the JSON object of the fields, or None with the `problem`; `raw` are the record's bytes."""

    line: int
    raw: bytes
    data: str | None
    problem: str | None


@dataclass
class _Lines:
    """Feeds the CSV reader, and keeps the bytes that it has taken since the last record."""

    file: BufferedIOBase
    taken: list[bytes] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.taken.append(line)
            yield line.decode("utf-8", "surrogateescape")

    def take(self) -> bytes:
        raw, self.taken = b"".join(self.taken), []
        return raw.rstrip(b"\r\n")


def content_hash(file: BufferedIOBase) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def records(file: BufferedIOBase, name: str, required: Sequence[str]) -> Iterator[Record]:
    """Each record below the header. Raises UnreadableFile where the header lacks a required column."""
    lines = _Lines(file)
    reader = csv.reader(lines, strict=True)
    header = _header(name, reader, required)
    lines.take()
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line, lines.take(), None, f"line {line}: {error}")
            continue
        raw = lines.take()
        if raw:
            yield _record(line, raw, header, values)


def _header(path: str, reader: Iterator[list[str]], required: Sequence[str]) -> list[str]:
    try:
        header = [name.removeprefix("\ufeff").strip() for name in next(reader)]
    except (StopIteration, csv.Error) as error:
        raise UnreadableFile(f"{path}, line 1: no header; the first line names the columns") from error
    if any("\udc80" <= character <= "\udcff" for character in "".join(header)):
        raise UnreadableFile(f"{path}, line 1: the header is not UTF-8; write the file in UTF-8")
    missing = [name for name in required if name not in header]
    if missing:
        raise UnreadableFile(f"{path}, line 1: the header lacks {', '.join(missing)}; it has {', '.join(header)}")
    if len(set(header)) != len(header):
        raise UnreadableFile(f"{path}, line 1: a column is named twice in {', '.join(header)}")
    return header


def _record(line: int, raw: bytes, header: list[str], values: list[str]) -> Record:
    if len(values) != len(header):
        return Record(line, raw, None, f"line {line}: {len(values)} fields, the header has {len(header)}")
    try:
        return Record(line, raw, orjson.dumps(dict(zip(header, values, strict=True))).decode(), None)
    except orjson.JSONEncodeError:
        return Record(line, raw, None, f"line {line}: it is not UTF-8")
