"""What the tests of silver share: landing and folding a table, its rows, and what the model says of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_assets.bronze.land import land
from lakehouse_assets.bronze.land_files import land_files
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.debezium.position import is_end
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.scan import data_files, rows_of
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.accounting import account, refused_by_rule
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.fold_events import fold_events
from lakehouse_assets.silver.fold_files import fold_files
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append, next_offset
from tests import model

Rows = list[dict[str, Any]]


@contextmanager
def open_platform(home: Path) -> Iterator[Platform]:
    """A platform of its own for a test that needs several; `platform` of the conftest is the same."""
    opened: list[SqlCatalog] = []

    @cache
    def open_catalog() -> SqlCatalog:
        opened.append(
            SqlCatalog("lakehouse", uri=f"sqlite:///{home / 'catalog.db'}", warehouse=f"file://{home / 'warehouse'}")
        )
        return opened[0]

    def no_clickhouse() -> Any:
        raise RuntimeError("this test has no ClickHouse")

    (home / "events").mkdir(parents=True, exist_ok=True)
    yield Platform("embedded", home, FileLog(home / "events"), open_catalog, no_clickhouse, "embedded")
    for catalog in opened:
        catalog.close()


def take(platform: Platform, table: Table, messages: Iterable[Message]) -> None:
    """Appends messages to the log, at the offsets that they have, and lands them."""
    events = platform.home / "events"
    ends = {p: next_offset(events / table.topic / f"{p}.jsonl") for p in range(3)}
    append(events, [m._replace(offset=m.offset - ends[m.partition]) for m in messages])
    land(platform, table)


def cut(messages: Sequence[Message], batches: int, seed: int) -> list[Sequence[Message]]:
    """The messages in so many chunks of random lengths, some of them empty."""
    numbers = random.Random(seed)
    cuts = [0, *sorted(numbers.randrange(len(messages) + 1) for _ in range(batches - 1)), len(messages)]
    return [messages[a:b] for a, b in pairwise(cuts)]


def fold(platform: Platform, table: Table) -> None:
    """Everything that is landed, into every silver table of the contract."""
    match table.source.kind:
        case "cdc":
            fold_changes(platform, table)
            fold_current(platform, table)
        case "events":
            fold_events(platform, table)
        case "files":
            land_files(platform, table)
            fold_files(platform, table)


def rows(platform: Platform, identifier: str) -> Rows:
    """Shared between calls: do not change them."""
    catalog = platform.open_catalog()
    return _rows_of(catalog, identifier, catalog.load_table(identifier).metadata_location)


@lru_cache(maxsize=8)
def _rows_of(catalog: Catalog, identifier: str, metadata: str) -> Rows:
    return list(catalog.load_table(identifier).scan().to_arrow().to_pylist())


def changes(platform: Platform, table: Table) -> Rows:
    return rows(platform, schema.changes_name(table))


def current(platform: Platform, table: Table) -> Rows:
    return rows(platform, schema.current_name(table))


def refused(platform: Platform, table: Table) -> Rows:
    if not platform.open_catalog().table_exists(schema.REJECTS):
        return []
    return [row for row in rows(platform, schema.REJECTS) if row["table"] == table.id]


@dataclass(frozen=True)
class State:
    """Everything that silver holds of a table, but for when it was written."""

    changes: Rows
    current: Rows
    refused: Rows
    accounts: tuple[Any, ...]


def state(platform: Platform, table: Table) -> State:
    identifiers = [schema.current_name(table), *([schema.changes_name(table)] if table.source.kind == "cdc" else [])]
    known = [marks(platform.open_catalog().load_table(i)) for i in identifiers]
    return State(
        timeless(changes(platform, table)) if table.source.kind == "cdc" else [],
        timeless(current(platform, table)),
        timeless(refused(platform, table)),
        tuple((account(m), refused_by_rule(m), m.get("lakehouse.violations")) for m in known),
    )


def timeless(found: Rows) -> Rows:
    hidden = {"load_sequence", "ingestion_timestamp", "rejected_at"}
    return sorted(({k: v for k, v in row.items() if k not in hidden} for row in found), key=repr)


def differences(
    platform: Platform,
    table: Table,
    encoding: Any = "string",
    epochs: Sequence[Mapping[int, int]] = (),
    dropped: date = date.min,
) -> list[str]:
    """How silver differs from the model, in sentences; also where its accounts do not balance. Retention has dropped
    the changes of the days up to `dropped`."""
    inputs = model.read_home(platform.home, encoding=encoding, epochs={table.topic: epochs})
    found = model.compare(table.id, model.current_rows(inputs, table.id), current(platform, table), table.key)
    place = ("table", "topic", "partition", "offset")
    expected = [{k: row[k] for k in place} for row in model.rejects(inputs, table.id)]
    found += model.compare("rejects", expected, refused(platform, table), place)
    if table.source.kind == "cdc":
        found += _changes_differences(platform, table, inputs, dropped)
    return found + unbalanced(platform, table)


def unbalanced(platform: Platform, table: Table) -> list[str]:
    """Where a table's counts do not agree with each other, with Iceberg's or with the rejects."""
    identifier = schema.changes_name(table) if table.source.kind == "cdc" else schema.current_name(table)
    silver = platform.open_catalog().load_table(identifier)
    known = account(marks(silver))
    found = [] if known.balances else [f"{known} does not balance"]
    held = rows_of(data_files(silver))
    if known.out + known.derived != held:
        found.append(f"{known.out} and {known.derived} rows are accounted for, {identifier} holds {held}")
    rejected = len(refused(platform, table))
    if not known.rejected == rejected == refused_by_rule(marks(silver)).total():
        found.append(f"{known.rejected} rejects are accounted for, there are {rejected}")
    return found


def _changes_differences(platform: Platform, table: Table, inputs: model.Inputs, dropped: date) -> list[str]:
    held = changes(platform, table)
    told = sorted((row for row in held if row["op"] != "t"), key=lambda row: str(row["change_position"]))
    expected = [row for row in model.changes(inputs, table.id) if row["change_date"] > dropped]
    identity = (*table.key, "change_number")
    found = model.compare(f"{table.id}_changes", _numbered(expected, table.key), _numbered(told, table.key), identity)
    truncates = [row for row in model.truncates(inputs, table.id) if row["change_time"].date() > dropped]
    place = ("partition", "offset")
    return found + model.compare("truncates", truncates, _that_delete(held, truncates, place), place)


def _that_delete(held: Rows, truncates: Rows, place: Sequence[str]) -> Rows:
    """The truncates and ends of snapshots, but for an end that is not expected and has nothing below it to delete: what
    was below it when it was told was a change of another log, or is refused now."""
    expected = [[row[name] for name in place] for row in truncates]
    lowest = min((row["change_position"] for row in held if row["op"] != "t"), default="")
    found = [row for row in held if row["op"] == "t"]
    return [
        row
        for row in found
        if [row[n] for n in place] in expected or not is_end(row["change_position"]) or row["change_position"] > lowest
    ]


def _numbered(ordered: Rows, key: Sequence[str]) -> Rows:
    """With `change_number`: 1, 2, ... in their order within the key."""
    counts: Counter[tuple[Any, ...]] = Counter()
    result = []
    for row in ordered:
        identity = tuple(row[name] for name in key)
        counts[identity] += 1
        result.append({**row, "change_number": counts[identity]})
    return result


def with_source(table: Table, **settings: Any) -> Table:
    """The contract under another encoding of its source."""
    return replace(table, source=replace(table.source, **settings))
