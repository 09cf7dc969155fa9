"""Rows are replaced by key: the files that hold a touched key are read whole and written anew, no other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import EqualTo
from pyiceberg.manifest import DataFile

from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import commit
from lakehouse_assets.engines.iceberg.rewrite import IN_LIMIT, match, replace
from lakehouse_assets.engines.iceberg.scan import ancestors, data_files, rows_of
from lakehouse_assets.engines.iceberg.tables import TableSpec

from .conftest import SCHEMA, Accounts

CONN = connect()


def _keys(*ids: int) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64())})


def _paths(files: Iterable[DataFile]) -> set[str]:
    return {file.file_path for file in files}


def _upsert(accounts: Accounts, rows: Sequence[dict[str, Any]], keys: pa.Table | None = None) -> None:
    table = accounts.table()
    new = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    found = match(CONN, table, new.select(["id"]) if keys is None else keys)
    commit(table, summary={}, added=replace(CONN, table, found, new), removed=found.files)


def _filled(accounts: Accounts, files: int, each: int) -> None:
    for n in range(files):
        accounts.add([{"id": n * each + i, "day": date(2026, 1, 1), "name": f"{n}-{i}"} for i in range(each)])


def test_only_files_that_hold_a_key_are_matched_read_and_replaced(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    _filled(accounts, files=6, each=10)
    before = _paths(data_files(accounts.table()))
    read: list[str] = []
    select = rewrite.select

    def counted(table: Any, files: Sequence[DataFile]) -> str:
        read.extend(_paths(files))
        return select(table, files)

    monkeypatch.setattr(rewrite, "select", counted)
    _upsert(accounts, [{"id": 12, "name": "new"}, {"id": 47, "name": "new"}])
    after = data_files(accounts.table())
    assert len(before - _paths(after)) == 2
    assert set(read) == before - _paths(after)
    (written,) = [file for file in after if file.file_path not in before]
    assert written.record_count == 20
    assert accounts.ids() == list(range(60))
    assert [row["id"] for row in accounts.rows() if row["name"] == "new"] == [12, 47]
    assert len(list(ancestors(accounts.table()))) == 7


def test_a_file_whose_range_covers_a_key_that_it_does_not_hold_is_left_alone(accounts: Accounts) -> None:
    accounts.add([{"id": 0}, {"id": 100}])
    accounts.add([{"id": 50}])
    wide = _paths(data_files(accounts.table(), EqualTo("id", 0)))
    found = match(CONN, accounts.table(), _keys(50))
    assert wide.isdisjoint(_paths(found.files))
    assert found.rows.to_pylist() == [{"id": 50, "day": None, "name": None}]


def test_new_keys_touch_no_file_and_are_added(accounts: Accounts) -> None:
    _filled(accounts, files=2, each=3)
    before = _paths(data_files(accounts.table()))
    _upsert(accounts, [{"id": 77}])
    assert before < _paths(data_files(accounts.table()))
    assert accounts.ids() == [0, 1, 2, 3, 4, 5, 77]


def test_keys_without_new_rows_are_deleted_and_a_file_without_survivors_goes(accounts: Accounts) -> None:
    _filled(accounts, files=2, each=3)
    _upsert(accounts, [], _keys(0, 1, 2, 4))
    assert accounts.ids() == [3, 5]
    assert rows_of(data_files(accounts.table())) == 2
    assert len(data_files(accounts.table())) == 1


def test_no_key_or_an_empty_table_matches_nothing(accounts: Accounts) -> None:
    assert match(CONN, accounts.table(), _keys(1)).files == []
    _filled(accounts, files=1, each=3)
    assert match(CONN, accounts.table(), _keys()).files == []
    _upsert(accounts, [])
    assert accounts.ids() == [0, 1, 2]


@pytest.mark.parametrize("count", [IN_LIMIT, IN_LIMIT + 1, 1000])
def test_as_many_keys_as_you_like_are_found_and_files_beyond_their_range_are_not_read(
    accounts: Accounts, count: int
) -> None:
    _filled(accounts, files=2, each=1000)
    accounts.add([{"id": -5}])
    found = match(CONN, accounts.table(), _keys(*range(1999, 1999 - count, -1)))
    assert len(found.files) == 1
    assert found.rows.num_rows == count


def test_null_keys_are_keys(lake: Catalog) -> None:
    accounts = Accounts(lake, TableSpec("lab.loose", SCHEMA, sort_by=("id",)))
    accounts.add([{"id": 1, "name": None}, {"id": 2, "name": "a"}])
    accounts.add([{"id": 3, "name": "b"}, {"id": 4, "name": None}])
    accounts.add([{"id": 5, "name": "c"}])
    for names, ids in (([None], {1, 4}), ([None, "b"], {1, 3, 4}), (["b"], {3})):
        found = match(CONN, accounts.table(), pa.table({"name": pa.array(names, pa.string())}))
        assert set(found.rows.column("id").to_pylist()) == ids
    both = pa.table({"name": pa.array([None, "a"], pa.string()), "id": pa.array([4, 1], pa.int64())})
    found = match(CONN, accounts.table(), both)
    assert found.rows.column("id").to_pylist() == [4]
    assert len(found.files) == 1


def test_dates_long_texts_and_quotes_are_keys(accounts: Accounts) -> None:
    names = ["x" * 40 + "1", "x" * 40 + "2", "O'Neill", "さくら", ""]
    for n, name in enumerate(names):
        accounts.add([{"id": n, "day": date(2026, 1, 1 + n), "name": name}])
    for n, name in enumerate(names):
        key = pa.table({"day": pa.array([date(2026, 1, 1 + n)]), "name": pa.array([name])})
        found = match(CONN, accounts.table(), key)
        assert found.rows.column("id").to_pylist() == [n]
        assert len(found.files) == 1


def test_what_the_caller_knows_narrows_the_files(accounts: Accounts) -> None:
    accounts.add([{"id": 1, "day": date(2026, 1, 1)}])
    accounts.add([{"id": 1, "day": date(2026, 2, 1)}])
    found = match(CONN, accounts.table(), _keys(1), EqualTo("day", "2026-02-01"))
    assert found.rows.column("day").to_pylist() == [date(2026, 2, 1)]


def test_new_rows_may_leave_out_columns_that_can_be_null(accounts: Accounts) -> None:
    _filled(accounts, files=1, each=2)
    table = accounts.table()
    found = match(CONN, table, _keys(1))
    commit(table, summary={}, added=replace(CONN, table, found, _keys(1)), removed=found.files)
    assert [(row["id"], row["name"]) for row in accounts.rows()] == [(0, "0-0"), (1, None)]


def test_more_rows_than_are_kept_in_memory_at_once_are_written_in_parts(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    _filled(accounts, files=4, each=10)
    monkeypatch.setattr(rewrite, "FLUSH_ROWS", 15)
    _upsert(accounts, [{"id": n, "name": "new"} for n in range(0, 40, 10)])
    assert accounts.ids() == list(range(40))
    assert len(data_files(accounts.table())) > 1


_BATCH = st.lists(st.tuples(st.integers(0, 12), st.text("ab", max_size=3) | st.none()), min_size=1, max_size=5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_BATCH, min_size=1, max_size=4))
def test_any_upserts_leave_what_a_dictionary_would(lake: Catalog, batches: list[Any]) -> None:
    accounts = Accounts(lake, TableSpec(f"lab.t{uuid4().hex}", SCHEMA, sort_by=("id",)))
    expected: dict[int, str | None] = {}
    for batch in batches:
        latest = dict(batch)
        expected.update(latest)
        _upsert(accounts, [{"id": n, "name": text} for n, text in latest.items()])
    assert {row["id"]: row["name"] for row in accounts.rows()} == expected
    assert len(accounts.rows()) == len(expected)
