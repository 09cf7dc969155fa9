"""An event log in files: `events/<topic>/<partition>.jsonl`, a line per message as `kcat -C -J` prints it.

Offsets grow within a file and may have holes; a position is found by bisection, so that a read costs what it reads.
An unterminated last line is a message still being written: the end of the log, not corruption.
Where it stops: writing is `sources/writer.py`'s.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.log.log import MESSAGES, Batch, Bounds, LogError, is_full

BLOCK_BYTES = 8 * 1024 * 1024
_TAIL_BYTES = 64 * 1024

_DECODE = """
with parsed as (
  select line_number, line, case when json_valid(line) then from_json(line, '{
    "partition": "INTEGER", "offset": "BIGINT", "ts": "BIGINT", "key": "VARCHAR", "payload": "VARCHAR",
    "payload_base64": "VARCHAR", "headers": ["VARCHAR"]}') end as m
  from lines)
select line_number, m.partition as partition, m.offset as offset, m.ts as timestamp_ms, encode(m.key) as key,
  coalesce(encode(m.payload), try(from_base64(m.payload_base64))) as value, m.headers as headers,
  m is null or m.partition is null or m.offset is null or m.partition != $partition
    or coalesce(len(m.headers) % 2 = 1, false)
    or (m.payload_base64 is not null and try(from_base64(m.payload_base64)) is null) as corrupt
from parsed order by line_number
"""


@dataclass(frozen=True)
class FileLog:
    """`root` is the folder of the topics."""

    root: Path

    def check(self) -> None:
        if not self.root.is_dir():
            raise LogError(f"there is no event log at {self.root}; `lakehouse events` writes one")

    def identity(self, topic: str) -> str | None:
        folder = self.root / topic
        if not folder.is_dir():
            return None
        path = folder / "topic-id"
        if not path.exists():
            beside = folder / f".topic-id-{uuid.uuid4().hex}"
            beside.write_text(str(uuid.uuid4()))
            with suppress(FileExistsError):
                os.link(beside, path)
            beside.unlink()
        return path.read_text().strip()

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        return {partition: _bounds_of(path) for partition, path in sorted(self._partitions(topic).items())}

    def read(self, topic: str, starts: Mapping[int, int], ends: Mapping[int, int], limit: int) -> Iterator[Batch]:
        """Partitions one after the other; a batch closes when it `is_full` or the log ends."""
        conn = connect()
        waiting: list[pa.Table] = []
        reached: dict[int, int] = {}
        at = dict(starts)
        for partition, path in sorted(self._partitions(topic).items()):
            start, end = starts.get(partition, 0), ends.get(partition, 0)
            if start >= end:
                continue
            for messages in _messages(conn, path, start, end, min(BLOCK_BYTES, limit * _TAIL_BYTES)):
                while messages.num_rows:
                    room = limit - sum(w.num_rows for w in waiting)
                    head, messages = messages.slice(0, room), messages.slice(room)
                    waiting.append(head)
                    reached[partition] = at[partition] = head.column("offset")[-1].as_py() + 1
                    if is_full(waiting, limit):
                        yield Batch(pa.concat_tables(waiting), dict(reached))
                        waiting, reached = [], {}
            if at.get(partition, start) < end:
                reached[partition] = end
        if reached:
            yield Batch(pa.concat_tables(waiting) if waiting else MESSAGES.empty_table(), reached)

    def _partitions(self, topic: str) -> dict[int, Path]:
        folder = self.root / topic
        return {int(p.stem): p for p in folder.glob("*.jsonl") if p.stem.isdecimal()} if folder.is_dir() else {}


def _messages(
    conn: duckdb.DuckDBPyConnection, path: Path, start: int, end: int, block_bytes: int
) -> Iterator[pa.Table]:
    """Tables of MESSAGES with offsets from `start` to before `end`, of about a block each."""
    previous = start - 1
    with _opened(path) as file:
        file.seek(_position_of(path, start))
        rest = b""
        while block := file.read(block_bytes):
            complete, newline, rest = (rest + block).rpartition(b"\n")
            if not newline:
                continue
            messages = _decode(conn, path, file.tell() - len(rest), complete)
            offsets = messages.column("offset").to_numpy()
            if len(offsets) and (offsets[0] <= previous or (offsets[1:] <= offsets[:-1]).any()):
                raise LogError(f"{path}: offsets do not grow after {previous}; the file was edited")
            previous = int(offsets[-1]) if len(offsets) else previous
            if previous >= end:
                yield messages.filter(pa.array(offsets < end))
                return
            yield messages


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Raises LogError where the topic went since its bounds were read."""
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise LogError(
            f"topic {path.parent.name} partition {path.stem}: {path} was removed while the topic was read;"
            " bring it back and run again"
        ) from None


def _decode(conn: duckdb.DuckDBPyConnection, path: Path, reached: int, block: bytes) -> pa.Table:
    """`reached` is the byte after the block. Raises LogError naming file and line of what cannot be read."""
    lines = block.split(b"\n")
    try:
        texts = pa.array(lines, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        bad = next(i for i, line in enumerate(lines) if not _is_utf8(line))
        raise _corrupt(path, reached - len(block) - 1, lines, bad, "it is not UTF-8") from None
    table = pa.table({"line_number": pa.array(range(len(lines)), pa.int64()), "line": texts})
    conn.register("lines", table)
    rows = conn.sql(_DECODE, params={"partition": int(path.stem)}).to_arrow_table()
    corrupt = rows.column("corrupt").to_numpy(zero_copy_only=False)
    if corrupt.any():
        raise _corrupt(path, reached - len(block) - 1, lines, int(corrupt.argmax()), "it is not a message of kcat -J")
    maps = _as_maps(rows.column("headers"))
    return pa.table([*(rows.column(name) for name in MESSAGES.names[:-1]), maps], schema=MESSAGES)


def _as_maps(flat: pa.ChunkedArray) -> pa.Array:
    """`[name, value, name, value]` as a map; a name may come twice, as in Kafka."""
    lists = flat.combine_chunks()
    entries = lists.flatten()
    offsets = pc.divide(pc.subtract(lists.offsets, lists.offsets[0]), 2)
    names = entries.take(pa.array(range(0, len(entries), 2), pa.int64()))
    values = entries.take(pa.array(range(1, len(entries), 2), pa.int64()))
    return pa.MapArray.from_arrays(offsets, names, values, mask=lists.is_null())


def _corrupt(path: Path, begins: int, lines: list[bytes], index: int, reason: str) -> LogError:
    with path.open("rb") as file:
        before = file.read(begins).count(b"\n")
    return LogError(f"{path}, line {before + index + 1}: {reason}: {lines[index][:80]!r}; mend or remove the line")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bounds_of(path: Path) -> Bounds:
    with path.open("rb") as file:
        first = file.readline()
    last = _last_line(path)
    if not first.endswith(b"\n") or last is None:
        return Bounds(0, 0)
    return Bounds(_offset_of(path, first), _offset_of(path, last) + 1)


def _last_line(path: Path) -> bytes | None:
    """The last terminated line, read from the end."""
    size = path.stat().st_size
    length = _TAIL_BYTES
    with path.open("rb") as file:
        while True:
            begin = max(0, size - length)
            file.seek(begin)
            whole = file.read(size - begin).rpartition(b"\n")[0]
            if b"\n" in whole or begin == 0:
                return whole.rpartition(b"\n")[2] or None
            length *= 8


def _position_of(path: Path, offset: int) -> int:
    """The byte of the first line whose offset is at least `offset`, by bisection over bytes."""
    low, high = 0, path.stat().st_size
    with path.open("rb") as file:
        while low < high:
            middle = (low + high) // 2
            file.seek(max(0, middle - 1))
            if middle:
                file.readline()
            line = file.readline()
            if not line.endswith(b"\n") or _offset_of(path, line) >= offset:
                high = middle
            else:
                low = file.tell()
    return low


def _offset_of(path: Path, line: bytes) -> int:
    try:
        return int(orjson.loads(line)["offset"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        with path.open("rb") as file:
            number = next((n for n, each in enumerate(file, 1) if each.rstrip(b"\n") == line.rstrip(b"\n")), 0)
        reason = "it is not a message of kcat -J" if _is_utf8(line) else "it is not UTF-8"
        raise LogError(f"{path}, line {number}: {reason}: {line[:80]!r}; mend or remove the line") from None
