"""CDC: the changes of a table in the database's own order, and the rows that they leave."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any

from .bronze import key_of, valid_contents
from .inputs import Inputs, Message, Row, Rows
from .rules import Refused
from .tables import Table, table
from .values import UNAVAILABLE, NotCastable, decode

FIRST_DAY = date(2020, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Position = tuple[int, int, int, int, int]
"""First the epoch. PostgreSQL: last commit LSN, LSN, 0. MariaDB: binlog number, pos, row. Last what it is: where they
share a position, the end of a snapshot (0) loses to its reads (1), and a read to a streamed change (2)."""
_END, _READ, _STREAMED = range(3)


@dataclass(frozen=True)
class Change:
    """One message as a change of one key, a tuple of its columns (None: a truncate, or the end of a complete snapshot).

    `values` holds all columns, `unavailable` those whose value PostgreSQL did not send."""

    position: Position
    key: tuple[Any, ...] | None
    op: str
    values: Mapping[str, Any]
    unavailable: tuple[str, ...]
    change_time: datetime
    topic: str
    partition: int
    offset: int

    @property
    def is_deleted(self) -> bool:
        return self.op == "d"


@cache
def changes(inputs: Inputs, table_id: str) -> Rows:
    """`silver.<table>_changes` without its truncates: one row per distinct (position, key).

    The table's columns (null but the key where deleted; an unavailable value is the key's value before, null where
    there was none), op, is_deleted, change_time, change_date (2020-01-01 at the earliest), unavailable (the columns
    that came without value, resolved or not), topic, partition, offset of the first delivery, and `change_number`:
    1, 2, ... along change_position within the key.
    """
    described = table(table_id)
    streams = groupby(_ordered_changes(inputs, described), key=lambda change: change.key)
    return [_row(change, number) for _, stream in streams for number, change in enumerate(_resolved(stream), start=1)]


@cache
def truncates(inputs: Inputs, table_id: str) -> Rows:
    """The table's truncates and the ends of its complete snapshots, one row per position: change_time, topic,
    partition, offset."""
    first: dict[Position, Change] = {}
    for change in _taken(inputs, table(table_id)):
        if change.op == "t":
            first.setdefault(change.position, change)
    return [
        {"change_time": each.change_time, "topic": each.topic, "partition": each.partition, "offset": each.offset}
        for _, each in sorted(first.items())
    ]


@cache
def current(inputs: Inputs, table_id: str) -> Rows:
    """`silver.<table>`: the table's columns and change_time of each key's latest change, unless that is a delete or a
    truncate, or the end of a complete snapshot, has a higher position, whenever it arrived."""
    described = table(table_id)
    truncated = max((each.position for each in _taken(inputs, described) if each.op == "t"), default=None)
    rows = []
    for _, stream in groupby(_ordered_changes(inputs, described), key=lambda change: change.key):
        *_, last = _resolved(stream)
        if not last.is_deleted and (truncated is None or last.position > truncated):
            rows.append({**last.values, "change_time": last.change_time})
    return rows


@cache
def states(inputs: Inputs, table_id: str) -> Rows:
    """What became of each key, by key, then position: its changes, and a deletion at every truncate that follows one of
    them, and at the end of a complete snapshot that does not show it.

    The table's columns (null but the key where deleted), is_deleted and change_time."""
    described = table(table_id)
    emptied = {each.position: each for each in reversed(_taken(inputs, described)) if each.op == "t"}
    rows = []
    for key, stream in groupby(_ordered_changes(inputs, described), key=lambda change: change.key):
        told = list(_resolved(stream))
        nothing = {**dict.fromkeys(told[0].values), **dict(zip(described.key, key, strict=True))}
        shown = {(*change.position[:4], _END) for change in told if change.position[4] == _READ}
        following = {min((at for at in emptied if at > change.position), default=None) for change in told}
        told += [replace(emptied[at], values=nothing) for at in following if at is not None and at not in shown]
        rows += [
            {**change.values, "is_deleted": change.op in "dt", "change_time": change.change_time}
            for change in sorted(told, key=lambda each: each.position)
        ]
    return rows


@cache
def refused(inputs: Inputs, table_id: str) -> tuple[Refused, ...]:
    """The changes that cannot be cast; they are in no table but `silver.rejects`."""
    return tuple(each for each in _read(inputs, table(table_id)) if isinstance(each, Refused))


def _row(change: Change, number: int) -> Row:
    return {
        **change.values,
        "op": change.op,
        "is_deleted": change.is_deleted,
        "change_time": change.change_time,
        "change_date": max(change.change_time.date(), FIRST_DAY),
        "unavailable": list(change.unavailable),
        "topic": change.topic,
        "partition": change.partition,
        "offset": change.offset,
        "change_number": number,
    }


def _ordered_changes(inputs: Inputs, described: Table) -> list[Change]:
    """The changes of keys, by key, then position; of a redelivered one the first delivery."""
    first: dict[tuple[Any, Position], Change] = {}
    for change in _taken(inputs, described):
        if change.op != "t":
            first.setdefault((change.key, change.position), change)
    return [first[identity] for identity in sorted(first)]


def _resolved(stream: Iterable[Change]) -> Iterator[Change]:
    """One key's changes in order, each unavailable value replaced by the one before it."""
    before: Mapping[str, Any] = {}
    for change in stream:
        known = {column: before.get(column) for column in change.unavailable}
        before = {**change.values, **known}
        yield replace(change, values=before)


@cache
def _taken(inputs: Inputs, described: Table) -> list[Change]:
    """Every change that could be cast; of the ends of complete snapshots those with a change of lower position."""
    read = [change for change in _read(inputs, described) if isinstance(change, Change)]
    lowest = min((each.position for each in read if each.position[4] != _END), default=None)
    return [each for each in read if each.position[4] != _END or (lowest is not None and lowest < each.position)]


def _read(inputs: Inputs, described: Table) -> Iterator[Change | Refused]:
    """Every valid message as a change, by partition and offset; logical messages (op m) are none."""
    streamed: dict[int, Position] = {}
    reads = _snapshot_reads(inputs, described)
    for message, envelope in valid_contents(inputs, described):
        op, source, epoch = envelope["op"], envelope["source"], _epoch(inputs, message)
        if op == "m":
            continue
        if op == "r" and source.get("snapshot") == "incremental":
            # It was read while changes were streamed: it is as new as the change before it in its partition.
            before = streamed.get(message.partition)
            position = (*before[:4], _READ) if before and before[0] == epoch else (epoch, 0, 0, 0, _READ)
        else:
            position = (epoch, *_position(described, op, source))
            if op != "r" and described.feed == "postgresql" and _commit(source) is None:
                # The first transaction after a snapshot overwrites its reads, also where it began before it.
                own = [r for r in reads if r[0] == epoch and r[1] == message.partition and r[2] < message.offset]
                latest = own[-1][3] if own else max((r[3] for r in reads if r[0] == epoch), default=-1)
                position = (epoch, max(latest + 1, position[1]), *position[2:])
        if op != "r":
            streamed[message.partition] = position
        image = {} if op in "dt" else envelope["after"]
        absent = tuple(column.name for column in described.payload if image.get(column.name) == UNAVAILABLE)
        time = _EPOCH + timedelta(milliseconds=source["ts_ms"])
        place = (message.topic, message.partition, message.offset)
        if _ends_a_snapshot(op, source):
            nothing: dict[str, Any] = dict.fromkeys(column.name for column in described.columns)
            yield Change((*position[:4], _END), None, "t", nothing, (), time, *place)
        key = key_of(described, message) if op != "t" else None
        raw = {**image, **(key or dict.fromkeys(described.key)), **dict.fromkeys(absent)}
        values = {}
        try:
            for column in described.columns:
                values[column.name] = decode(column, raw.get(column.name), inputs.encoding)
        except NotCastable:
            yield Refused(message.topic, message.partition, message.offset, f"{column.name}_is_castable")
            continue
        identity = tuple(values[name] for name in described.key) if key else None
        yield Change(position, identity, op, values, absent, time, *place)


@cache
def _snapshot_reads(inputs: Inputs, described: Table) -> list[tuple[int, int, int, int]]:
    """Epoch, partition, offset and LSN of every read of PostgreSQL that is not of an incremental snapshot."""
    return [
        (_epoch(inputs, message), message.partition, message.offset, int(envelope["source"]["lsn"]))
        for message, envelope in valid_contents(inputs, described)
        if envelope["op"] == "r"
        and described.feed == "postgresql"
        and envelope["source"].get("snapshot") != "incremental"
    ]


def _commit(source: Mapping[str, Any]) -> str | None:
    found: str | None = json.loads(source.get("sequence") or "[null]")[0]
    return found


def _epoch(inputs: Inputs, message: Message) -> int:
    """How often the log began anew at or before the message's offset."""
    begun = inputs.epochs.get(message.topic, ())
    return sum(message.offset >= first.get(message.partition, 0) for first in begun)


def _ends_a_snapshot(op: str, source: Mapping[str, Any]) -> bool:
    """Whether it is the last read of a snapshot of the whole table: one that begins a log names no commit before it."""
    is_last = source.get("snapshot") in ("last", "last_in_data_collection")
    return op == "r" and is_last and _commit(source) is None and source.get("gtid") is None


def _position(described: Table, op: str, source: Mapping[str, Any]) -> tuple[int, int, int, int]:
    rank = _READ if op == "r" else _STREAMED
    if described.feed == "postgresql":
        lsn = int(source["lsn"])
        last_commit = _commit(source)
        return (int(last_commit) if last_commit is not None else lsn, lsn, 0, rank)
    return (int(source["file"].rsplit(".", 1)[1]), int(source["pos"]), int(source.get("row") or 0), rank)
