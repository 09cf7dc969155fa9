"""A reader's mark tells what came after it: exactly, or, where that has expired, whether anything did."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lakehouse_assets.engines.iceberg.commit import RETIRED, commit, write_files
from lakehouse_assets.engines.iceberg.progress import last_change, moved, rebuilt_days, touched_days
from lakehouse_assets.engines.iceberg.scan import ancestors, data_files, sequence_of

from .conftest import Accounts

DAY = "2026-01-05"


def _compact(accounts: Accounts) -> None:
    table = accounts.table()
    rows = table.scan().to_arrow()
    commit(table, summary={}, added=write_files(table, rows), removed=data_files(table), same_rows=True)


def _retire(accounts: Accounts) -> None:
    table = accounts.table()
    commit(table, summary={RETIRED: "1"}, removed=data_files(table, "id = 1"))


def _move_marks(accounts: Accounts) -> None:
    accounts.add([], offsets="7")


def _expire_all_but_the_last(accounts: Accounts) -> None:
    older = [s.snapshot_id for s in list(ancestors(accounts.table()))[1:]]
    accounts.table().maintenance.expire_snapshots().by_ids(older).commit()


@pytest.mark.parametrize("quiet", [_compact, _retire, _move_marks])
@pytest.mark.parametrize("expires", [False, True])
def test_upkeep_is_no_news(accounts: Accounts, quiet: Callable[[Accounts], None], expires: bool) -> None:
    accounts.add([{"id": 1}], days=json.dumps([DAY]))
    accounts.add([{"id": 2}], days=json.dumps([DAY]))
    mark = sequence_of(accounts.table())
    quiet(accounts)
    quiet(accounts)
    if expires:
        _expire_all_but_the_last(accounts)
    table = accounts.table()
    assert sequence_of(table) > mark == last_change(table)
    assert not moved(table, mark)
    assert touched_days(table, mark) == rebuilt_days(table, mark) == set()
    assert moved(table, mark - 1)


def test_what_expired_is_known_to_have_changed_but_not_of_which_days(accounts: Accounts) -> None:
    accounts.add([{"id": 1}], days=json.dumps([DAY]))
    accounts.add([{"id": 2}], days=json.dumps([DAY]))
    accounts.add([{"id": 3}], days=json.dumps([DAY]))
    _expire_all_but_the_last(accounts)
    assert moved(accounts.table(), 1)
    assert touched_days(accounts.table(), 1) is None
    assert rebuilt_days(accounts.table(), 1) == set()


def test_a_rebuild_is_remembered_when_its_snapshot_has_expired(accounts: Accounts) -> None:
    accounts.add([{"id": 1}])
    accounts.add([{"id": 2}], rebuilt_days=json.dumps([DAY]))
    assert rebuilt_days(accounts.table(), 1) == {DAY}
    accounts.add([{"id": 3}])
    accounts.add([{"id": 4}])
    _expire_all_but_the_last(accounts)
    assert rebuilt_days(accounts.table(), 1) is None
    assert rebuilt_days(accounts.table(), 2) == set()


def test_a_mark_that_another_engine_rolled_back_is_not_taken_for_one_that_expired(accounts: Accounts) -> None:
    first = accounts.add([{"id": 1}])
    accounts.add([{"id": 2}])
    mark = sequence_of(accounts.table())
    accounts.table().manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()
    for _ in range(2):
        assert moved(accounts.table(), mark)
        assert touched_days(accounts.table(), mark) is None
        assert rebuilt_days(accounts.table(), mark) is None
        _compact(accounts)


def test_what_another_engine_committed_counts_as_a_change_of_anything(accounts: Accounts) -> None:
    accounts.add([{"id": 1}])
    accounts.table().append(accounts.table().scan().to_arrow())
    foreign = sequence_of(accounts.table())
    assert last_change(accounts.table()) == foreign
    _compact(accounts)
    _expire_all_but_the_last(accounts)
    assert last_change(accounts.table()) == foreign
    assert moved(accounts.table(), 1)
    assert rebuilt_days(accounts.table(), 1) is None
