"""What a read needs is planned from metadata, and what changed since a snapshot is exactly what was written since."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
from pyiceberg.expressions import EqualTo

from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.scan import (
    ancestors,
    appends_since,
    bytes_of,
    changed_since,
    data_files,
    rows_of,
    sequence_of,
    snapshots_since,
)

from .conftest import SCHEMA, Accounts


def _appended(accounts: Accounts, snapshot_id: int | None) -> list[tuple[int, int]] | None:
    """Per snapshot its id and how many rows it appended."""
    found = appends_since(accounts.table(), snapshot_id)
    return None if found is None else [(snapshot, rows_of(files)) for snapshot, files in found]


def _replace_all(accounts: Accounts, *ids: int) -> int:
    table = accounts.table()
    rows = pa.Table.from_pylist([{"id": n} for n in ids], schema=SCHEMA)
    return commit(table, summary={}, added=write_files(table, rows), removed=data_files(table)).snapshot_id


def _compact(accounts: Accounts) -> None:
    table = accounts.table()
    commit(
        table, summary={}, added=write_files(table, table.scan().to_arrow()), removed=data_files(table), same_rows=True
    )


def _expire(accounts: Accounts, *snapshots: int) -> None:
    accounts.table().maintenance.expire_snapshots().by_ids(list(snapshots)).commit()


def test_an_empty_table_has_no_file_no_ancestor_and_sequence_zero(accounts: Accounts) -> None:
    table = accounts.table()
    assert data_files(table) == []
    assert list(ancestors(table)) == []
    assert sequence_of(table) == 0
    assert appends_since(table, None) == []
    assert appends_since(table, 42) is None
    assert snapshots_since(table, 0) == []
    assert changed_since(table, 0) == []


def test_files_that_cannot_hold_a_row_of_the_filter_are_not_planned(accounts: Accounts) -> None:
    for n in range(3):
        accounts.add([{"id": n * 10 + i, "day": date(2026, 1, 5 + n)} for i in range(3)])
    found = data_files(accounts.table(), EqualTo("id", 11))
    assert rows_of(found) == 3
    assert bytes_of(found) == found[0].file_size_in_bytes
    assert data_files(accounts.table(), "id = 7") == []
    assert rows_of(data_files(accounts.table())) == 9


def test_a_file_list_as_of_a_snapshot_is_what_it_was(accounts: Accounts) -> None:
    first = accounts.add([{"id": 1}])
    _replace_all(accounts, 2, 3)
    assert rows_of(data_files(accounts.table(), snapshot_id=first.snapshot_id)) == 1


def test_appends_come_oldest_first_and_other_operations_with_no_file(accounts: Accounts) -> None:
    first = accounts.add([{"id": 1}]).snapshot_id
    second = accounts.add([{"id": 2}, {"id": 3}]).snapshot_id
    rewritten = _replace_all(accounts, 1, 2, 3)
    empty = accounts.add([]).snapshot_id
    expected = [(first, 1), (second, 2), (rewritten, 0), (empty, 0)]
    assert _appended(accounts, None) == expected
    assert _appended(accounts, first) == expected[1:]
    assert _appended(accounts, empty) == []


def test_appends_are_told_apart_when_manifests_are_merged(accounts: Accounts) -> None:
    accounts.add([])
    with accounts.table().transaction() as tx:
        tx.set_properties({"commit.manifest.min-count-to-merge": "2"})
    made = [accounts.add([{"id": n}] * (n + 1)).snapshot_id for n in range(5)]
    current = accounts.table().current_snapshot()
    assert current is not None
    assert len(current.manifests(accounts.table().io)) < 5
    assert _appended(accounts, made[1]) == [(made[2], 3), (made[3], 4), (made[4], 5)]
    changed = changed_since(accounts.table(), sequence_of(accounts.table()) - 2)
    assert changed is not None
    assert rows_of(changed) == 9


def test_appends_are_unknown_where_the_snapshot_or_an_ancestor_has_expired(accounts: Accounts) -> None:
    made = [accounts.add([{"id": n}]).snapshot_id for n in range(4)]
    _expire(accounts, made[0], made[1])
    assert _appended(accounts, made[2]) == [(made[3], 1)]
    assert _appended(accounts, made[0]) is None
    assert _appended(accounts, None) is None
    assert _appended(accounts, 42) is None


def test_changes_are_unknown_where_an_ancestor_has_expired(accounts: Accounts) -> None:
    made = [accounts.add([{"id": n}]) for n in range(4)]
    _expire(accounts, made[0].snapshot_id, made[1].snapshot_id)
    table = accounts.table()
    sequence = made[2].sequence_number
    assert sequence is not None
    assert [s.snapshot_id for s in snapshots_since(table, sequence) or []] == [made[3].snapshot_id]
    assert snapshots_since(table, 0) is None
    assert changed_since(table, 0) is None


def test_changes_are_the_files_written_since_that_are_still_there(accounts: Accounts) -> None:
    accounts.add([{"id": 1}])
    since = sequence_of(accounts.table())
    assert changed_since(accounts.table(), since) == []
    accounts.add([{"id": 2}])
    _replace_all(accounts, 1, 2)
    accounts.add([{"id": 3}])
    found = changed_since(accounts.table(), since)
    assert found is not None
    assert sorted(f.record_count for f in found) == [1, 2]
    assert {f.file_path for f in found} == {f.file_path for f in data_files(accounts.table())}


def test_compaction_is_no_change(accounts: Accounts) -> None:
    accounts.add([{"id": 1}])
    accounts.add([{"id": 2}])
    since = sequence_of(accounts.table())
    _compact(accounts)
    accounts.add([{"id": 3}])
    found = changed_since(accounts.table(), since)
    assert found is not None
    assert [f.record_count for f in found] == [1]


def test_what_was_written_before_a_compaction_is_found_in_the_compacted_files(accounts: Accounts) -> None:
    """Also where it was compacted more than once, together with rows from before and after."""
    accounts.add([{"id": 1}])
    since = sequence_of(accounts.table())
    accounts.add([{"id": 2}])
    _compact(accounts)
    accounts.add([{"id": 3}])
    _compact(accounts)
    between = sequence_of(accounts.table())
    accounts.add([{"id": 4}])
    table = accounts.table()
    found = changed_since(table, since)
    assert found is not None
    assert sorted(f.record_count for f in found) == [1, 3]
    assert {f.file_path for f in found} == {f.file_path for f in data_files(table)}
    assert [f.record_count for f in changed_since(table, between) or []] == [1]


def test_numbers_grow_also_over_a_rollback(accounts: Accounts) -> None:
    first = accounts.add([{"id": 1}])
    second = accounts.add([{"id": 2}])
    accounts.table().manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()
    third = accounts.add([{"id": 3}])
    assert accounts.ids() == [1, 3]
    assert (first.sequence_number or 0) < (second.sequence_number or 0) < (third.sequence_number or 0)
    found = snapshots_since(accounts.table(), first.sequence_number or 0)
    assert [s.snapshot_id for s in found or []] == [third.snapshot_id]
    assert _appended(accounts, second.snapshot_id) is None
    assert snapshots_since(accounts.table(), second.sequence_number or 0) is None
