"""Catalogs that refuse what they make, over HTTP: no commit is made twice, and none loses its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from pyiceberg.table import Table

from lakehouse_assets.bronze.land import Landed, land
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.engines.iceberg.commit import commit, discard, write_files
from lakehouse_assets.engines.iceberg.reachable import needed
from lakehouse_assets.engines.iceberg.roll_back import roll_back
from lakehouse_assets.engines.iceberg.scan import ancestors, data_files
from lakehouse_assets.engines.iceberg.tables import ensure
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.compaction import Sizes, compact
from tests.bronze.lander import EVENTS, event, places, write_events

from .conftest import SCHEMA, Accounts
from .rest_catalog import REFUSED, Commit, Fate, refuses_what_it_made, rest_catalog


def sends_it_twice(commit: Commit) -> int:
    """A proxy that got no answer in time."""
    commit()
    return commit()


def is_busy(_: Commit) -> int:
    return REFUSED


MADE: dict[str, Fate] = {
    "409": refuses_what_it_made(REFUSED),
    "500": refuses_what_it_made(500),
    "503": refuses_what_it_made(503),
    "a connection that is closed": refuses_what_it_made(0),
    "a proxy that sends it twice": sends_it_twice,
}


def files_of(table: Table) -> set[str]:
    """What lies in the table's folder beside its metadata files."""
    folder = Path(urlparse(table.location()).path)
    return {f"file://{path}" for path in folder.rglob("*") if path.suffix in (".avro", ".parquet")}


def whole(table: Table) -> bool:
    """Whether every file that it names is there, and no other."""
    return files_of(table) == set(needed(table, table.metadata.snapshots))


def _added(table: Table, *ids: int) -> Any:
    return write_files(table, pa.Table.from_pylist([{"id": n} for n in ids], schema=SCHEMA))


@pytest.mark.parametrize("answer", MADE)
def test_a_commit_that_is_refused_although_it_was_made_is_found_and_keeps_its_files(
    accounts: Accounts, answer: str
) -> None:
    accounts.add([{"id": 1}])
    with rest_catalog(accounts.catalog, [MADE[answer]] * 3) as catalog:
        table = catalog.load_table(accounts.spec.identifier)
        first = commit(table, summary={}, added=_added(table, 2))
        second = commit(table, summary={}, added=_added(table, 3), removed=data_files(table))
        assert second.snapshot_id == table.metadata.current_snapshot_id
        assert accounts.ids() == [3]
        roll_back(table, first, "before", keep_ms=60_000)
    assert accounts.ids() == [1, 2]
    assert len(list(ancestors(accounts.table()))) == 3
    assert len(accounts.table().metadata.snapshots) == 4
    assert whole(accounts.table())


def test_a_refusal_although_nobody_committed_is_no_conflict_and_the_same_is_sent_again(accounts: Accounts) -> None:
    accounts.add([{"id": 1}])
    with rest_catalog(accounts.catalog, [is_busy, is_busy]) as catalog:
        table = catalog.load_table(accounts.spec.identifier)
        commit(table, summary={}, added=_added(table, 2))
    assert accounts.ids() == [1, 2]
    assert len(list(ancestors(accounts.table()))) == 2
    assert whole(accounts.table())


def test_a_refused_commit_that_arrives_after_all_is_found_and_only_the_other_files_go(accounts: Accounts) -> None:
    accounts.add([{"id": 1}])
    underway: list[Commit] = []

    def is_held_up(commit: Commit) -> int:
        underway.append(commit)
        return REFUSED

    def comes_second(commit: Commit) -> int:
        assert underway[0]() == 200
        return commit()

    with rest_catalog(accounts.catalog, [is_held_up, comes_second]) as catalog:
        table = catalog.load_table(accounts.spec.identifier)
        commit(table, summary={}, added=_added(table, 2))
    assert accounts.ids() == [1, 2]
    assert whole(accounts.table())


@pytest.mark.parametrize(("answer", "error"), [(REFUSED, CommitFailedException), (500, CommitStateUnknownException)])
def test_nothing_is_deleted_as_long_as_a_commit_may_still_come(
    accounts: Accounts, answer: int, error: type[Exception]
) -> None:
    accounts.add([{"id": 1}])
    underway: list[Commit] = []

    def is_held_up(commit: Commit) -> int:
        underway.append(commit)
        return answer

    with rest_catalog(accounts.catalog, [is_held_up] * 5) as catalog:
        table = catalog.load_table(accounts.spec.identifier)
        with pytest.raises(error):
            commit(table, summary={}, added=_added(table, 2))
    assert [late() for late in underway] == [200, *([REFUSED] * (len(underway) - 1))]
    assert accounts.ids() == [1, 2]


def test_a_conflict_is_certain_and_leaves_no_file_behind(accounts: Accounts) -> None:
    accounts.add([{"id": 1}])
    with rest_catalog(accounts.catalog, []) as catalog:
        table = catalog.load_table(accounts.spec.identifier)
        added = _added(table, 2)
        accounts.add([{"id": 3}])
        with pytest.raises(Conflict, match=r"lab\.accounts was changed by another writer"):
            commit(table, summary={}, added=added)
    discard(table, added)
    assert whole(accounts.table())
    assert accounts.ids() == [1, 3]


@pytest.mark.parametrize("answer", MADE)
def test_landing_and_compacting_on_such_a_catalog_lose_and_double_nothing(platform: Platform, answer: str) -> None:
    ensure(platform.open_catalog(), spec(EVENTS))
    write_events(platform, [event(n) for n in range(6)])
    with rest_catalog(platform.open_catalog(), [MADE[answer]] * 4) as catalog:
        through_http = replace(platform, batch_messages=2, open_catalog=lambda: catalog)
        assert land(through_http, EVENTS) == Landed(6, 0, 3)
        [compacted] = compact(through_http, spec(EVENTS).identifier, Sizes(least_files=3))
        assert (compacted.files_before, compacted.files_after) == (3, 1)
    assert places(platform, EVENTS) == [(0, n) for n in range(6)]
    assert whole(platform.open_catalog().load_table(spec(EVENTS).identifier))
