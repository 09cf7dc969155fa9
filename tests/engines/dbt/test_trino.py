"""What Trino is asked for, and what becomes of staged tables; that Trino answers rightly is shown in tests/stack."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_assets.engines.dbt import trino
from lakehouse_assets.engines.dbt.narrowing import Rows
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure
from lakehouse_assets.vault import manifest

SPEC = TableSpec("raw_vault.h_users", pa.schema([("user_id", pa.string())]))
RELATION = '"lakehouse"."raw_vault"."h_users"'


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    (tmp_path / "warehouse").mkdir()
    return SqlCatalog("lakehouse", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=(tmp_path / "warehouse").as_uri())


def test_rows_are_asked_of_the_snapshot_that_was_planned_and_of_its_files_alone(catalog):
    table = ensure(catalog, SPEC)
    assert trino.select(RELATION, Rows(table)) == f"select * from {RELATION} where true"
    commit(table, summary={}, added=write_files(table, pa.table({"user_id": ["o'neil"]})))
    table = catalog.load_table(SPEC.identifier)
    number = table.current_snapshot().snapshot_id
    pinned = f"select * from {RELATION} for version as of {number} where user_id > 'a'"
    rows = Rows(table, "user_id > 'a'")
    assert trino.select(RELATION, rows) == pinned
    [file] = data_files(table)
    assert trino.select(RELATION, replace(rows, files=(file,))) == f"{pinned} and \"$path\" in ('{file.file_path}')"
    assert trino.select(RELATION, replace(rows, files=())) == f'{pinned} and "$path" in (null)'


def test_a_table_whose_last_snapshot_lacks_a_column_is_read_as_it_is(catalog):
    table = ensure(catalog, SPEC)
    commit(table, summary={}, added=write_files(table, pa.table({"user_id": ["a"]})))
    grown = ensure(catalog, replace(SPEC, schema=pa.schema([("user_id", pa.string()), ("name", pa.string())])))
    assert trino.select(RELATION, Rows(grown, files=())) == f"select * from {RELATION} where true"


def test_what_a_killed_build_left_staged_goes_after_a_day(catalog, monkeypatch):
    trino.prepare(catalog, manifest.project())
    ensure(catalog, replace(SPEC, identifier="staging.h_users_0"))
    trino.prepare(catalog, manifest.project())
    assert catalog.list_tables(trino.STAGING) == [("staging", "h_users_0")]
    monkeypatch.setattr(trino, "LEFT_OVER", timedelta(0))
    trino.prepare(catalog, manifest.project())
    assert catalog.list_tables(trino.STAGING) == []
