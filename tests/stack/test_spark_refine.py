"""Current rows that Spark folds are those that DuckDB folds, on recordings and on generated changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import register_files
from lakehouse_assets.engines.iceberg.commit import commit, marks
from lakehouse_assets.engines.iceberg.reachable import needed
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.storage import path_of
from lakehouse_assets.silver import current_by_spark, schema
from lakehouse_assets.silver.current_slice import Written
from lakehouse_assets.silver.fold_current import VIOLATIONS, fold_current
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import copy_capture
from tests.recordings import SAMPLES
from tests.scenario import calm, scenario
from tests.silver.lakes import cut, differences, fold, open_platform, state, take
from tests.silver.many_changes import LATEST, told
from tests.silver.told import SESSIONS

# `make test-stack` with SPARK_CHANGES=5000000 folds more.
CHANGES = int(os.environ.get("SPARK_CHANGES", "1000000"))
USERS = registry.table("bank_users")
CAPTURED = [t for t in registry.tables() if t.source.kind == "cdc"]


class Pair:
    """The same log twice: folded by DuckDB, and by Spark."""

    def __init__(self, folder: Path, session: SparkSession, stack: ExitStack) -> None:
        self.here = stack.enter_context(open_platform(folder / "here"))
        there = stack.enter_context(open_platform(folder / "there"))
        self.there = replace(there, open_spark=lambda: session, refined_by="spark")

    def take(self, table: Table, messages: Sequence[Message]) -> None:
        for platform in (self.here, self.there):
            take(platform, table, messages)
            fold(platform, table)

    def assert_equal(self, table: Table) -> None:
        assert state(self.here, table) == state(self.there, table)


@pytest.fixture
def pair(tmp_path: Path, spark_session: SparkSession) -> Iterable[Pair]:
    with ExitStack() as stack:
        yield Pair(tmp_path, spark_session, stack)


@pytest.mark.parametrize("table", CAPTURED, ids=lambda t: t.id)
def test_spark_leads_a_recording_to_the_same_current_rows(pair: Pair, table: Table) -> None:
    for platform in (pair.here, pair.there):
        copy_capture(SAMPLES / f"{table.source.name}-string", platform.home / "events")
        land(platform, table)
        fold(platform, table)
    pair.assert_equal(table)


@pytest.mark.parametrize("table_id", ["bank_users", "shop_user_sessions"])
def test_spark_folds_late_changes_deletes_and_truncates_to_the_same_current_rows(pair: Pair, table_id: str) -> None:
    table = registry.table(table_id)
    for messages in cut(scenario(table, 11).stream.messages, 3, seed=11):
        pair.take(table, messages)
        pair.assert_equal(table)
    assert differences(pair.there, table) == []


def test_a_fold_by_spark_that_meets_another_writer_begins_anew_and_leaves_no_file(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = cut(calm(USERS, 7).stream.messages, 2, seed=7)
    pair.take(USERS, first)
    write, met = current_by_spark.write, []

    def with_another(*arguments: Any) -> Written:
        written = write(*arguments)
        if not met:
            met.append(commit(pair.there.open_catalog().load_table(schema.current_name(USERS)), summary={}))
        return written

    monkeypatch.setattr(current_by_spark, "write", with_another)
    pair.take(USERS, second)
    pair.assert_equal(USERS)
    table = pair.there.open_catalog().load_table(schema.current_name(USERS))
    named = {path_of(at) for at in needed(table, table.metadata.snapshots) if at.endswith(".parquet")}
    assert met
    assert {str(path) for path in Path(path_of(table.location())).rglob("*.parquet")} == named


def test_spark_folds_a_million_changes_with_late_and_deleted_keys_to_the_same_current_rows(pair: Pair) -> None:
    for _ in zip(*(told(platform, CHANGES) for platform in (pair.here, pair.there)), strict=True):
        assert fold_current(pair.here, SESSIONS) == fold_current(pair.there, SESSIONS) > 0
    with pair.here.open_duckdb() as conn:
        for name, platform in (("here", pair.here), ("there", pair.there)):
            table = platform.open_catalog().load_table(schema.current_name(SESSIONS))
            register_files(conn, name, table, data_files(table))
        names = ", ".join(name for name in schema.current(SESSIONS).schema.names if name != "load_sequence")
        changes = pair.here.open_catalog().load_table(schema.changes_name(SESSIONS))
        register_files(conn, "changes", changes, data_files(changes))
        [(held, different, wrong)] = conn.execute(f"""
            select (select count(*) from there),
              (select count(*) from (from here except all from there)) + (
                select count(*) from (from there except all from here)),
              (select count(*) from (select {names} from there except all select {names} from ({LATEST})))
            """).fetchall()
        assert (different, wrong) == (0, 0)
        assert held == conn.sql(f"select count(*) from ({LATEST})").fetchall()[0][0] > CHANGES / 8
    of_current = [
        marks(platform.open_catalog().load_table(schema.current_name(SESSIONS)))[VIOLATIONS]
        for platform in (pair.here, pair.there)
    ]
    assert of_current[0] == of_current[1] != "{}"
