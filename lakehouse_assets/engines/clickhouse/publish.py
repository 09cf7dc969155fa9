"""Publishes a mart: load beside, compare counts and sums, swap. Only the months that changed, where they are known.

A reader of gold sees the old rows or the new ones. Whatever is interrupted leaves the old version recorded, so that
the next run does it again. One publisher per mart at a time; an older version never replaces a newer one.
Where it stops: what a mart is and when it is published is `gold`'s.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clickhouse_connect.driver.client import Client
from filelock import FileLock
from pyiceberg.table import Table

from lakehouse_assets.engines.clickhouse import fingerprint
from lakehouse_assets.engines.clickhouse.ddl import GoldTable, create_table
from lakehouse_assets.engines.clickhouse.published import Version, months_since, recorded, version_of
from lakehouse_assets.engines.clickhouse.source import table_function
from lakehouse_assets.engines.clickhouse.sql import literal, quoted
from lakehouse_assets.engines.iceberg.scan import data_files, rows_of
from lakehouse_assets.mendable import Mendable

GOLD = "gold"
STAGING = "staging"

How = Literal["create", "exchange", "replace_partition", "drop_partition", "comment", "none"]

_LOAD = {"insert_null_as_default": 0, "max_partitions_per_insert_block": 0}


class Mismatch(Mendable):
    """What ClickHouse loaded is not what the mart holds; gold was not touched."""


@dataclass(frozen=True)
class Published:
    """`rows` were loaded, of `months` (e.g. `2026-01`; empty: of all). `skipped` says why nothing was done."""

    rows: int
    months: tuple[str, ...]
    how: How
    snapshot_id: int | None
    skipped: str | None = None


def publish(client: Client, table: Table, target: GoldTable, *, home: Path, memory_limit: str = "1GB") -> Published:
    """Makes `gold.<target>` equal to the version of the mart that the handle shows. Raises Mismatch."""
    folder = home / "clickhouse"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / f"publish-{target.name}.lock"):
        return _Publisher(client, table, target, home, memory_limit).publish()


def is_published(client: Client, table: Table, target: GoldTable) -> bool:
    """Whether gold holds the version of the mart that the handle shows."""
    _, held = recorded(client, GOLD, target.name)
    return held == version_of(table, create_table(GOLD, target, table.schema()))


class _Publisher:
    def __init__(self, client: Client, table: Table, target: GoldTable, home: Path, memory_limit: str) -> None:
        self._client, self._table, self._target = client, table, target
        self._home, self._memory_limit = home, memory_limit
        self._gold = f"{quoted(GOLD)}.{quoted(target.name)}"
        self._staged = f"{quoted(STAGING)}.{quoted(target.name)}"
        self._version = version_of(table, create_table(GOLD, target, table.schema()))

    def publish(self) -> Published:
        for database in (GOLD, STAGING):
            self._client.command(f"CREATE DATABASE IF NOT EXISTS {quoted(database)}")
        exists, held = recorded(self._client, GOLD, self._target.name)
        if reason := self._nothing_to_do(held):
            return Published(0, (), "none", self._version.snapshot_id, skipped=reason)
        changed = months_since(self._table, held, self._version) if self._target.month_of else None
        if changed is not None and not self._rest_agrees(changed):
            changed = None
        if changed == set():
            self._remember()
            return self._done(0, (), "comment")
        rows = self._load(changed)
        how = self._swap(exists, changed, rows)
        self._client.command(f"DROP TABLE IF EXISTS {self._staged} SYNC")
        return self._done(rows, changed or (), how)

    def _nothing_to_do(self, held: Version | None) -> str | None:
        if held is None or held.table != self._version.table:
            return None
        if held == self._version:
            return f"snapshot {held.snapshot_id} is published already"
        if held.sequence > self._version.sequence:
            return f"a newer snapshot, {held.snapshot_id}, is published already"
        return None

    def _rest_agrees(self, changed: Collection[int]) -> bool:
        """Whether gold holds as many rows in the other months as the mart: where it does not, all of it is loaded."""
        total = rows_of(data_files(self._table))
        touched = self._mart(changed).rows if changed else 0
        kept = self._client.query(f"SELECT count() FROM {self._gold} WHERE NOT ({self._within(changed)})")
        return int(kept.result_rows[0][0]) == total - touched

    def _load(self, months: Collection[int] | None) -> int:
        """Loads the months, or all, into a fresh staging table, and compares it with the mart."""
        self._client.command(f"DROP TABLE IF EXISTS {self._staged} SYNC")
        self._client.command(create_table(STAGING, self._target, self._table.schema(), self._version.text()))
        if self._version.snapshot_id is not None:
            names = ", ".join(quoted(f.name) for f in self._table.schema().fields)
            where = "" if months is None else f" WHERE {self._within(months)}"
            source = table_function(self._table, self._home)
            self._client.command(
                f"INSERT INTO {self._staged} ({names}) SELECT {names} FROM {source}{where}", settings=_LOAD
            )
        loaded = fingerprint.of_loaded(self._client, STAGING, self._target.name, self._table.schema())
        differences = self._mart(months).differences(loaded)
        if differences:
            raise Mismatch(f"{self._target.name}: mart and ClickHouse differ: {'; '.join(differences)}")
        return loaded.rows

    def _swap(self, exists: bool, changed: set[int] | None, rows: int) -> How:
        if not exists:
            self._client.command(f"RENAME TABLE {self._staged} TO {self._gold}")
            return "create"
        if changed is None or len(changed) > 1:
            for month in self._months_of_gold() - changed if changed else ():
                self._client.command(f"ALTER TABLE {self._staged} ATTACH PARTITION ID '{month}' FROM {self._gold}")
            self._client.command(f"EXCHANGE TABLES {self._staged} AND {self._gold}")
            return "exchange"
        (month,) = changed
        if rows:
            self._client.command(f"ALTER TABLE {self._gold} REPLACE PARTITION ID '{month}' FROM {self._staged}")
        else:
            self._client.command(f"ALTER TABLE {self._gold} DROP PARTITION ID '{month}'")
        # After the rows: an interruption in between makes the next run replace the same month once more.
        self._remember()
        return "replace_partition" if rows else "drop_partition"

    def _remember(self) -> None:
        self._client.command(f"ALTER TABLE {self._gold} MODIFY COMMENT {literal(self._version.text())}")

    def _months_of_gold(self) -> set[int]:
        parts = self._client.query(
            "SELECT DISTINCT partition_id FROM system.parts"
            " WHERE active AND database = {database:String} AND table = {name:String}",
            parameters={"database": GOLD, "name": self._target.name},
        )
        return {int(row[0]) for row in parts.result_rows}

    def _mart(self, months: Collection[int] | None) -> fingerprint.Fingerprint:
        return fingerprint.of_mart(self._table, months, self._target.month_of, self._memory_limit)

    def _within(self, months: Collection[int]) -> str:
        column = quoted(self._target.month_of or "")
        return f"toYYYYMM({column}) IN ({', '.join(map(str, sorted(months)))})" if months else "0"

    def _done(self, rows: int, months: Collection[int], how: How) -> Published:
        named = tuple(f"{m // 100}-{m % 100:02}" for m in sorted(months))
        return Published(rows, named, how, self._version.snapshot_id)
