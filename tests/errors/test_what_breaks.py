"""What breaks around the lakehouse: exit code 1, one line that says where and what to do, and nothing half-written."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from lakehouse_assets.bronze.csv_rows import UnreadableFile
from lakehouse_assets.bronze.dead_letters import CannotReplay
from lakehouse_assets.bronze.flood import Flood
from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.clickhouse.ddl import InvalidTarget
from lakehouse_assets.engines.connect.client import ConnectError
from lakehouse_assets.engines.dbt.project import InvalidModel, NotSynced
from lakehouse_assets.engines.iceberg.commit import MarksLost, commit
from lakehouse_assets.engines.iceberg.scan import UnreadableDeletes
from lakehouse_assets.engines.iceberg.tables import SchemaConflict
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.gold.live import NotLive
from lakehouse_assets.operations import samples
from lakehouse_assets.operations.connectors import UnknownConnector
from lakehouse_assets.operations.epochs import NotLanded
from lakehouse_assets.operations.history import CannotRollBack
from lakehouse_assets.operations.preflight import Unreachable
from lakehouse_assets.operations.query import QueryFailed
from lakehouse_assets.silver.reset import SourceWasReset
from lakehouse_assets.silver.severity import RuleBroken
from tests.errors import faults
from tests.errors.faults import STACK, USERS, done
from tests.errors.lake import BANK, PRODUCTS, Lake, Row, check
from tests.silver.told import user

LANDED = ("bronze.bank_users",)

ROWS = [
    Row(
        "a catalog that does not answer",
        ("history", "silver.bank_users"),
        ("127.0.0.1", "start the server, or mend its address"),
        environment=STACK,
    ),
    Row(
        "a live database that nobody told ClickHouse of",
        ("live", "create"),
        ("ClickHouse has no named collection shop", "deploy/clickhouse/config.d"),
        NotLive,
    ),
    Row(
        "a Connect that does not answer",
        ("connectors", "status"),
        ("http://127.0.0.1:9 does not answer",),
        ConnectError,
        environment=STACK,
    ),
    Row(
        "no such connector",
        ("connectors", "snapshot", "lab", "t"),
        ("'lab'", "bank, shop"),
        UnknownConnector,
        2,
        environment=STACK,
    ),
    Row(
        "a flood",
        ("materialize", BANK),
        (
            "bank_users: 1200 of a batch",
            f"topic {USERS}, partition 0, offset 2: the value is not JSON",
            "LAKEHOUSE_LET_FLOODS_IN=bank_users",
        ),
        Flood,
        given=done(faults.flood),
    ),
    Row(
        "messages that were cut off",
        ("materialize", BANK),
        (
            f"bronze.bank_users: topic {USERS} partition 0: the next offset to land is 2, the log holds offsets 0 to 1",
            "bring them back",
        ),
        LogError,
        given=done(lambda lake: faults.log(lake).write_bytes(faults.log(lake).read_bytes().split(b"\n")[0] + b"\n")),
    ),
    Row(
        "a topic that was made again",
        ("materialize", BANK),
        (f"bronze.bank_users: topic {USERS} is not the one", "bring the old one back"),
        LogError,
        given=done(lambda lake: (faults.log(lake).parent / "topic-id").write_text("new")),
    ),
    Row(
        "to skip of such a topic",
        ("skip-expired", "bank_users", "--yes"),
        (f"bronze.bank_users: topic {USERS} is not the one",),
        LogError,
        given=done(lambda lake: (faults.log(lake).parent / "topic-id").write_text("new")),
    ),
    Row(
        "a table that another engine rolled back",
        ("materialize", BANK),
        ("bronze.bank_users: it was rolled back to a snapshot that does not say what it holds", "roll it on to"),
        MarksLost,
        given=done(faults.rolled_back_from_outside),
    ),
    Row(
        "a line that is no message",
        ("materialize", BANK),
        ("0.jsonl, line 3", "mend or remove the line"),
        LogError,
        given=done(lambda lake: faults.log(lake).open("ab").write(b"nonsense\n")),
    ),
    Row(
        "to write after such a line",
        ("events", "--count", "1"),
        ("user-events", "mend or remove"),
        LogError,
        given=done(
            lambda lake: [
                p.open("ab").write(b"nonsense\n") for p in (lake.home / "events" / "user-events").glob("*.jsonl")
            ]
        ),
    ),
    Row(
        "no event log",
        ("materialize", BANK),
        ("event log cannot be used", "`lakehouse events` writes one"),
        Unreachable,
        given=done(lambda lake: (lake.home / "events").rename(lake.home / "elsewhere")),
    ),
    Row(
        "a source that was reset",
        ("materialize", BANK),
        ("bank_users: the source was reset", "partition 0, offset 2", "`lakehouse connectors reset bank`"),
        SourceWasReset,
        given=done(faults.beginning_anew),
        moves=LANDED,
    ),
    Row(
        "to reset what waits",
        ("connectors", "reset", "bank", "--yes"),
        (f"topic {USERS}, partition 0, offsets 2 to 3 are not landed yet", "lakehouse materialize"),
        NotLanded,
        given=done(lambda lake: lake.tell(user(0, "c", "c", 9))),
    ),
    Row(
        "a type that does not fit",
        ("materialize", BANK),
        ("silver.bank_users_changes: column notes holds string, declared is int",),
        SchemaConflict,
        given=faults.narrowed,
        moves=LANDED,
    ),
    Row(
        "a rule that must hold",
        ("materialize", BANK),
        ("bank_users: name_starts_as_declared", f"topic {USERS}, partition 0, offset 2", "relax the rule"),
        RuleBroken,
        given=faults.strict,
        moves=LANDED,
    ),
    Row(
        "a contract that contradicts itself",
        ("tables",),
        ("contracts/lab/products.py: lab_products: a column is declared twice",),
        registry.InvalidContract,
        given=faults.contract,
    ),
    Row(
        "a file without a column",
        ("materialize", PRODUCTS),
        ("b.csv, line 1: the header lacks", "product_id, category"),
        UnreadableFile,
        given=done(faults.csv("product_name,price,cost\nTea,1,1\n")),
    ),
    Row(
        "to replay a file's record",
        ("dead-letters", "replay", "retail_products"),
        ("retail_products: a record of a CSV file", "in a new file"),
        CannotReplay,
        moves=("operations.decisions",),
    ),
    Row(
        "to roll files back",
        ("rollback", "bronze.retail_products", "--to", "first", "--yes"),
        ("bronze.retail_products: files are landed once",),
        CannotRollBack,
        given=done(lambda _: commit(faults.named("bronze.retail_products"), summary={})),
    ),
    Row(
        "two commands at once",
        ("rollback", "silver.retail_products", "--to", "first", "--yes"),
        ("silver.retail_products was changed by another writer; run it again",),
        Conflict,
        given=faults.raced,
        moves=("silver.retail_products",),
    ),
    Row(
        "deletes of another engine",
        ("query", "select * from silver.bank_users"),
        ("silver.bank_users holds delete files", "`lakehouse maintain compact --table silver.bank_users`"),
        UnreadableDeletes,
        given=done(faults.with_deletes),
    ),
    Row(
        "a damaged file",
        ("query", "select * from silver.bank_users"),
        ("silver/bank_users/data/", "bring it back"),
        QueryFailed,
        given=done(faults.damaged("silver.bank_users")),
    ),
    Row(
        "no metadata",
        ("history", "silver.bank_users"),
        ("silver/bank_users/metadata/", "bring it back"),
        given=done(faults.without_metadata("silver.bank_users")),
    ),
    Row(
        "a damaged catalog",
        ("tables",),
        ("the catalog's database: file is not a database", "bring it back"),
        given=done(lambda lake: (lake.home / "catalog.db").write_bytes(b"nonsense" * 999)),
    ),
    Row(
        "a catalog that is held",
        ("dead-letters", "discard", "retail_products", "--yes"),
        ("the catalog's database: database is locked", "another process holds it"),
        given=faults.locked,
    ),
    Row(
        "a full disk",
        ("events", "--count", "200"),
        ("user-events/", "File too large", "free some space"),
        given=faults.full_disk,
    ),
    Row("a full disk beside a run", ("materialize", BANK), ("disk", "free some space"), given=faults.full_disk),
    Row(
        "a file in the way",
        ("tables",),
        ("/dagster'", "move what lies in its place"),
        given=done(lambda lake: (shutil.rmtree(lake.home / "dagster"), (lake.home / "dagster").touch())),
    ),
    Row(
        "Ctrl-C",
        ("materialize", BANK),
        ("interrupted; what was committed stays",),
        code=130,
        given=faults.interrupted,
        moves=LANDED,
    ),
    Row(
        "no samples",
        ("demo",),
        ("runs from a checkout",),
        samples.NoSamples,
        given=lambda lake: faults.patched(samples.add_captures, lake.kept),
    ),
    Row(
        "a project that was never synced",
        ("tables",),
        ("manifest.json is missing: run `lakehouse sync`",),
        NotSynced,
        given=faults.project(None),
    ),
    Row(
        "a model of no strategy",
        ("tables",),
        ("daily_active_users: strategy 'often' is not one of insert",),
        InvalidModel,
        given=faults.project(faults.config(strategy="often")),
    ),
    Row(
        "a mart of no order",
        ("tables",),
        ("daily_active_users needs order_by",),
        InvalidTarget,
        given=faults.project(faults.config(meta={"clickhouse": {"engine": "MergeTree"}})),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.does)
def test_what_breaks_is_one_line_that_says_where_and_what_to_do(lake: Lake, row: Row) -> None:
    first = [faults.first(row.command[1]) if word == "first" else word for word in row.command]
    check(lake, replace(row, command=tuple(first)))
