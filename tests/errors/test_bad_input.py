"""What is not there or makes no sense: exit code 2, one line that names it and what there is."""

from __future__ import annotations

import pytest

from lakehouse_assets.contracts.registry import UnknownTable as UnknownContract
from lakehouse_assets.engines.iceberg.time_travel import InvalidTag, UnknownSnapshot
from lakehouse_assets.operations.continuous import NoSource
from lakehouse_assets.operations.diff import NotAKey
from lakehouse_assets.operations.epochs import UnknownSource
from lakehouse_assets.operations.history import UnknownTable
from lakehouse_assets.operations.materialize import UnknownSelection
from lakehouse_assets.operations.overview import UnknownLayer
from lakehouse_assets.operations.query import Refused
from lakehouse_assets.operations.traffic import TooFarAhead
from lakehouse_assets.profiles.active import InvalidSetting
from tests.errors.lake import Lake, Row, check

ROWS = [
    Row("an unknown command", ("materialise",), ("'materialise'", "'materialize'"), code=2),
    Row("a day that is none", ("materialize", "*", "--from", "2026-2-30"), ("2026-2-30", "days are written"), code=2),
    Row(
        "days in disorder",
        ("materialize", "*", "--from", "2026-01-02", "--to", "2026-01-01"),
        ("is after",),
        code=2,
    ),
    Row("no selection", ("materialize", "key:("), ("'key:('", "is no selection"), UnknownSelection, 2),
    Row("an unknown asset", ("materialize", "silver/user"), ("'silver/user'", "group:silver"), UnknownSelection, 2),
    Row(
        "days of what has none",
        ("materialize", "key:silver/retail_products", "--from", "2026-01-01"),
        ("names no asset by day", "leave out the days"),
        UnknownSelection,
        2,
    ),
    Row(
        "to backfill no asset",
        ("backfill", "silver/user", "--from", "2026-01-01", "--to", "2026-01-02"),
        ("'silver/user'", "group:silver"),
        UnknownSelection,
        2,
    ),
    Row(
        "to backfill days that there are not",
        ("backfill", "*", "--from", "2026-01-01", "--to", "2199-01-02"),
        ("2199-01-02 is outside the days that there are",),
        code=2,
    ),
    Row(
        "to land no table again",
        ("reland", "users", "--from", "2026-01-01", "--to", "2026-01-02"),
        ("'users'", "bank_users"),
        UnknownContract,
        2,
    ),
    Row(
        "a window that ends before it begins",
        ("reland", "bank_users", "--from", "2026-01-02", "--to", "2026-01-01"),
        ("is not before",),
        code=2,
    ),
    Row("to run no source", ("run", "--source", "bonk"), ("bonk", "bank, clickstream"), NoSource, 2),
    Row("an unknown layer", ("tables", "--layer", "golden"), ("'golden'", "bronze, silver"), UnknownLayer, 2),
    Row("no table's history", ("history", "silver.users"), ("'silver.users'", "silver.bank_users"), UnknownTable, 2),
    Row(
        "no table to maintain",
        ("maintain", "all", "--table", "users"),
        ("'users'", "bronze.bank_users"),
        UnknownTable,
        2,
    ),
    Row("to roll no table back", ("rollback", "users", "--to", "1"), ("'users'", "silver.bank"), UnknownTable, 2),
    Row(
        "an unknown snapshot",
        ("rollback", "silver.bank_users", "--to", "1", "--yes"),
        ("silver.bank_users: 1 is not in its history",),
        UnknownSnapshot,
        2,
    ),
    Row(
        "a snapshot that the table has not",
        ("query", "select * from silver.bank_users", "--snapshot", "1"),
        ("silver.bank_users: there is no snapshot 1", "the newest are "),
        UnknownSnapshot,
        2,
    ),
    Row(
        "a time before the table",
        ("query", "select * from silver.bank_users", "--as-of", "2020-01-01"),
        ("silver.bank_users: nothing is known of 2020-01-01 00:00:00 UTC", "the newest are "),
        UnknownSnapshot,
        2,
    ),
    Row(
        "a time to come",
        ("query", "select * from silver.bank_users", "--as-of", "2999-01-01"),
        ("2999-01-01 00:00:00 UTC lies ahead",),
        UnknownSnapshot,
        2,
    ),
    Row(
        "two points at once",
        ("query", "select 1", "--as-of", "2026-01-01", "--snapshot", "1"),
        ("exclude each other",),
        code=2,
    ),
    Row(
        "gold as it was",
        ("query", "select 1", "--engine", "clickhouse", "--as-of", "2026-01-01"),
        ("gold is as it is now", "--engine duckdb"),
        Refused,
        2,
    ),
    Row("the difference of no table", ("diff", "users", "--from", "1"), ("'users'", "silver.bank"), UnknownTable, 2),
    Row(
        "the difference since no snapshot",
        ("diff", "silver.bank_users", "--from", "1"),
        ("silver.bank_users: there is no snapshot 1",),
        UnknownSnapshot,
        2,
    ),
    Row(
        "the difference by no column",
        ("diff", "silver.bank_users", "--from", "main", "--key", "mail"),
        ("silver.bank_users has no column 'mail'", "id, email"),
        NotAKey,
        2,
    ),
    Row(
        "a metric of several values",
        ("diff", "silver.bank_users", "--from", "main", "--metric", "email"),
        ("a metric is one value", "'email' is 2 rows"),
        Refused,
        2,
    ),
    Row("a name that is no tag", ("tag", "silver.bank_users", "1st"), ("'1st' cannot be a tag",), InvalidTag, 2),
    Row(
        "to remove no tag",
        ("tag", "silver.bank_users", "first", "--remove", "--yes"),
        ("silver.bank_users: there is no tag 'first'; there are none",),
        InvalidTag,
        2,
    ),
    Row("to tag no table", ("tag", "users", "first"), ("'users'", "silver.bank_users"), UnknownTable, 2),
    Row(
        "no table's letters",
        ("dead-letters", "show", "users"),
        ("'users'", "bank_users"),
        UnknownContract,
        2,
    ),
    Row(
        "no table's rejects",
        ("rejects", "discard", "users", "--yes"),
        ("'users'", "bank_users"),
        UnknownContract,
        2,
    ),
    Row(
        "a time that is none",
        ("rejects", "list", "--since", "noon"),
        ("--since 'noon'", "times are written"),
        code=2,
    ),
    Row("to discard without a yes", ("dead-letters", "discard", "retail_products"), ("--yes", "--dry-run"), code=2),
    Row("to skip of no table", ("skip-expired", "users"), ("'users'", "bank_users"), UnknownContract, 2),
    Row(
        "to land files again",
        ("reland", "retail_products", "--from", "2026-01-01", "--to", "2026-01-02"),
        ("retail_products is landed from files", "in a new file"),
        code=2,
    ),
    Row("to skip of files", ("skip-expired", "retail_products"), ("retail_products is landed from files",), code=2),
    Row("an unknown source", ("connectors", "reset", "retail"), ("'retail'", "bank, shop"), UnknownSource, 2),
    Row("two statements", ("query", "select 1; select 2"), ("one SELECT is wanted, these are 2",), Refused, 2),
    Row("to write by a query", ("query", "drop table silver.bank_users"), ("only a SELECT", "DROP"), Refused, 2),
    Row("no table to ask", ("query", "select * from silver.users"), ("silver.bank_users",), Refused, 2),
    Row("to ask for no column", ("query", "select mail from silver.bank_users"), ('"mail"', '"email"'), Refused, 2),
    Row(
        "events of the day after tomorrow",
        ("events", "--count", "1000000", "--rate", "0.01"),
        ("1000000 events", "more than a day ahead; ask for fewer"),
        TooFarAhead,
        2,
    ),
    Row(
        "a setting that there is not",
        ("tables",),
        ("LAKEHOUSE_HOMES", "valid are", "LAKEHOUSE_HOME,"),
        InvalidSetting,
        2,
        environment={"LAKEHOUSE_HOMES": "x"},
    ),
    Row(
        "a setting that is not complete",
        ("tables",),
        ("LAKEHOUSE_KAFKA_BOOTSTRAP_SERVERS, LAKEHOUSE_CATALOG_URI", "must be set too"),
        InvalidSetting,
        2,
        environment={"LAKEHOUSE_PROFILE": "stack"},
    ),
    Row(
        "a flood let into no table",
        ("materialize",),
        ("LAKEHOUSE_LET_FLOODS_IN='users'", "no table 'users'", "bank_users, clickstream_user_events"),
        InvalidSetting,
        2,
        environment={"LAKEHOUSE_LET_FLOODS_IN": "users"},
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.does)
def test_what_is_not_there_is_one_line_that_names_it_and_what_there_is(lake: Lake, row: Row) -> None:
    check(lake, row)
