"""Gives each change its place in the database's log: PostgreSQL's LSNs, MySQL's binlog file, position and row.

Concurrent PostgreSQL transactions have interleaved LSNs and are told in commit order, as logical decoding does.
Where it stops: what a message looks like is `envelopes.py`'s.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.sources.changes import Change, History, Knobs, Transaction

_DAY_US = 86_400_000_000
_SNAPSHOT_LSN = 26_675_776
_SNAPSHOT_POS = 1_298_229
_TRANSACTIONS_PER_FILE = 40
_SERVER = 223344


@dataclass(frozen=True)
class Placed:
    """A change with its source block, its transaction block, and its place as numbers that sort in commit order."""

    change: Change
    source: Mapping[str, Any]
    transaction: Mapping[str, Any] | None
    position: tuple[int, ...]


def place(table: Table, history: History, numbers: random.Random, knobs: Knobs) -> list[Placed]:
    """Every change of the history in its order. Raises ValueError for a table that is not captured from a database."""
    moments = _moments(len(history.transactions), numbers, knobs)
    if table.source.connector == "postgresql":
        return list(_postgresql(table, history, moments, numbers, knobs))
    if table.source.connector == "mysql":
        return list(_mysql(table, history, moments, numbers, knobs))
    raise ValueError(f"{table.id} is not a cdc table")


def _moments(count: int, numbers: random.Random, knobs: Knobs) -> list[int]:
    """Commit times in microseconds, ascending over the knobs' days."""
    start = int(knobs.start.timestamp()) * 1_000_000
    return [start + t for t in sorted(numbers.randrange(1, knobs.days * _DAY_US) for _ in range(count))]


def _snapshot_marks(count: int) -> list[str]:
    return ["first", *["true"] * (count - 2), "last"] if count > 1 else ["last"] * count


def _common(table: Table, version: str, connector: str, snapshot: str, at_us: int) -> dict[str, Any]:
    source = table.source
    return {
        "version": version,
        "connector": connector,
        "name": source.topic.split(".")[0],
        "ts_ms": at_us // 1000,
        "snapshot": snapshot,
        "db": source.database,
        "sequence": None,
        "ts_us": at_us,
        "ts_ns": at_us * 1000,
    }


def _transaction(identity: str, order: int) -> dict[str, Any]:
    return {"id": identity, "total_order": order, "data_collection_order": order}


def _postgresql(
    table: Table, history: History, moments: Sequence[int], numbers: random.Random, knobs: Knobs
) -> Iterator[Placed]:
    def source(snapshot: str, at_us: int, committed: int | None, lsn: int, tx: int) -> dict[str, Any]:
        sequence = json.dumps([None if committed is None else str(committed), str(lsn)], separators=(",", ":"))
        return {
            **_common(table, "3.7.0.Final", "postgresql", snapshot, at_us),
            "sequence": sequence,
            "schema": table.source.schema,
            "table": table.name,
            "txId": tx,
            "lsn": lsn,
            "xmin": None,
            "origin": None,
            "origin_lsn": None,
        }

    begun = int(knobs.start.timestamp()) * 1_000_000
    for change, mark in zip(history.snapshot, _snapshot_marks(len(history.snapshot)), strict=True):
        yield Placed(change, source(mark, begun, None, _SNAPSHOT_LSN, 729), None, (0, _SNAPSHOT_LSN))
    committed, lsns = _SNAPSHOT_LSN, iter(range(_SNAPSHOT_LSN + 64, 2**62, 64))
    places: list[tuple[list[int], int]] = []
    for i, transaction in enumerate(history.transactions):
        if not places:
            pair = history.transactions[i : i + 2]
            concurrent = len(pair) == 2 and numbers.random() < knobs.interleaved and _disjoint(*pair)
            places = _log_places(pair if concurrent else pair[:1], lsns, numbers)
        own, commit = places.pop(0)
        tx = 730 + i
        for order, (change, lsn) in enumerate(zip(transaction, own, strict=True), start=1):
            block = source("false", moments[i], committed, lsn, tx)
            yield Placed(change, block, _transaction(f"{tx}:{lsn}", order), (committed, lsn))
        committed = commit


def _disjoint(one: Transaction, other: Transaction) -> bool:
    """Row locks keep concurrent transactions off each other's keys, and a truncate off everything."""
    keys = [{k for c in t for k in (c.key, c.moved)} for t in (one, other)]
    return not (keys[0] - {None}) & (keys[1] - {None}) and all(c.op != "t" for t in (one, other) for c in t)


def _log_places(
    concurrent: Sequence[Transaction], lsns: Iterator[int], numbers: random.Random
) -> list[tuple[list[int], int]]:
    """Of each transaction the LSNs of its changes and of its commit; a key update's two changes share one."""
    places: list[list[int]] = [[] for _ in concurrent]
    turns = [i for i, transaction in enumerate(concurrent) for _ in transaction]
    numbers.shuffle(turns)
    for turn in turns:
        change = concurrent[turn][len(places[turn])]
        second_half = change.op == "c" and change.moved is not None
        places[turn].append(places[turn][-1] if second_half else next(lsns))
    return [(own, next(lsns)) for own in places]


def _mysql(
    table: Table, history: History, moments: Sequence[int], numbers: random.Random, knobs: Knobs
) -> Iterator[Placed]:
    def source(snapshot: str, at_us: int, gtid: str | None, file: int, pos: int, row: int) -> dict[str, Any]:
        return {
            **_common(table, "3.5.0.Final", "mariadb", snapshot, at_us // 1_000_000 * 1_000_000),
            "table": table.name,
            "server_id": _SERVER if gtid else 0,
            "gtid": gtid,
            "file": f"mysql-bin.{file:06d}",
            "pos": pos,
            "row": row,
            "thread": None,
            "query": None,
        }

    begun = int(knobs.start.timestamp()) * 1_000_000
    file, pos = 1, _SNAPSHOT_POS
    for change, mark in zip(history.snapshot, _snapshot_marks(len(history.snapshot)), strict=True):
        yield Placed(change, source(mark, begun, None, file, pos, 0), None, (file, pos, 0))
    for i, transaction in enumerate(history.transactions):
        if i % _TRANSACTIONS_PER_FILE == _TRANSACTIONS_PER_FILE - 1:
            file, pos = file + 1, 388
        gtid, row, previous = f"0-{_SERVER}-{i + 1}", 0, None
        for order, change in enumerate(transaction, start=1):
            if not _same_place(previous, change):
                one_statement = _same_statement(previous, change) and numbers.random() < 0.5
                pos, row = (pos, row + 1) if one_statement else (pos + numbers.randrange(40, 600), 0)
            previous = change
            block = source("false", moments[i], gtid, file, pos, row)
            yield Placed(change, block, _transaction(gtid, order), (file, pos, row))


def _same_place(previous: Change | None, change: Change) -> bool:
    """The create of a key update is told at its delete's place."""
    return previous is not None and change.op == "c" and change.moved is not None


def _same_statement(previous: Change | None, change: Change) -> bool:
    """One statement can write several rows, each row once."""
    return previous is not None and previous.op == change.op and previous.key != change.key and previous.moved is None
