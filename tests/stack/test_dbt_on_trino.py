"""The dbt project on Trino beside the same on DuckDB: rows, types, marks, tests, and what an increment costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.dbt.runner import DbtFailed, invoke
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.iceberg.commit import COMMIT_ID, commit, marks, write_files
from lakehouse_assets.engines.iceberg.schema import arrow_type
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.vault import manifest
from lakehouse_assets.vault.build import Built
from lakehouse_assets.vault.build import build as build_models
from tests.servers.lake import Lake as Servers
from tests.servers.trino import USER
from tests.stack import inputs
from tests.vault.conftest import Lake

MODELS = tuple(m.name for m in manifest.project().models.values() if m.strategy != "days")
MARTS = tuple(m.name for m in manifest.project().models.values() if m.strategy == "days")
BANK = ("h_users", "h_accounts", "s_users", "s_accounts", "l_users_accounts", "s_accounts_history")
DAYS = (1, 60)


@pytest.fixture
def on_duckdb(tmp_path: Path) -> Lake:
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir()
    catalog = SqlCatalog("lakehouse", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=warehouse.as_uri())
    return lake_of("embedded", tmp_path, catalog)


@pytest.fixture
def on_trino(tmp_path: Path, lake_with_trino: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    settings = lake_with_trino.settings()
    for name in ("trino_host", "trino_port", "trino_user"):
        monkeypatch.setenv(f"LAKEHOUSE_{name.upper()}", str(settings[name]))
    catalog = lake_with_trino.catalog()
    empty(catalog)
    yield lake_of("stack", tmp_path, catalog)
    empty(catalog)


def lake_of(target: str, home: Path, catalog: Catalog) -> Lake:
    unused: Callable[[], Any] = lambda: pytest.fail("the vault opened ClickHouse")  # noqa: E731
    platform = Platform(
        target, home / target, FileLog(home / "events"), lambda: catalog, unused, target, storage=catalog.properties
    )
    return Lake(catalog, platform)


def empty(catalog: Catalog) -> None:
    for namespace in catalog.list_namespaces():
        for table in catalog.list_tables(namespace):
            catalog.purge_table(table)


def build(lake: Lake) -> dict[str, str]:
    return lake.build(*MODELS) | lake.build(*MARTS, days=DAYS)


def assert_equal(left: Lake, right: Lake, names: Sequence[str] = MODELS + MARTS) -> None:
    """Rows, column types, partitions and marks of each model's table."""
    for model in map(manifest.project().model, names):
        one, other = (lake.catalog.load_table(model.identifier) for lake in (left, right))
        assert [(f.name, f.field_type) for f in one.schema().fields] == [
            (f.name, f.field_type) for f in other.schema().fields
        ], model.name
        assert left.rows(model.identifier) == right.rows(model.identifier), model.name
        told = [{k: v for k, v in marks(t).items() if k != COMMIT_ID} for t in (one, other)]
        assert told[0] == told[1], model.name
        assert one.spec() == other.spec(), model.name


def test_every_model_and_its_tests_are_equal_on_both_engines_after_each_increment(on_duckdb, on_trino):
    for lake in (on_duckdb, on_trino):
        inputs.begin(lake)
    assert build(on_trino) == build(on_duckdb)
    assert_equal(on_duckdb, on_trino)

    for lake in (on_duckdb, on_trino):
        inputs.go_on(lake)
    built = build(on_trino)
    assert built == build(on_duckdb)
    assert {name for name, state in built.items() if state == "unchanged"} == {"dim_products"}
    assert_equal(on_duckdb, on_trino)
    assert not on_trino.catalog.list_tables("staging")

    assert set(build(on_trino).values()) == {"unchanged"}

    for lake in (on_duckdb, on_trino):
        lake.repeat("raw_vault.h_users", ())
        lake.repeat("marts.daily_active_users", (2,))
        lake.change("bank_users", *inputs.changes(contract("bank_users"), 30_000, (45,), "c", keys=1))
        lake.events(*inputs.events(2_000, (2,)))
    of_duckdb, of_trino = (
        lake.build("h_users", "s_users") | lake.build("daily_active_users", days=(2, 2))
        for lake in (on_duckdb, on_trino)
    )
    assert of_trino == of_duckdb
    assert sorted(name.split(".")[2] for name in of_trino if name.startswith("test.")) == [
        "daily_active_users_day_is_unique",
        "h_users_business_key_is_unique",
        "h_users_hash_key_is_unique",
    ]


def test_a_row_of_every_type_has_the_same_hash_on_both_engines(on_trino, lake_with_trino, tmp_path):
    kinds = {f"c{n}": kind for n, kind in enumerate(inputs.TYPES)}
    choices = {name: inputs.values(kind) for name, kind in kinds.items()}
    rows = [{name: choice[n % len(choice)] for name, choice in choices.items()} for n in range(11)]
    schema = pa.schema([(name, arrow_type(kind)) for name, kind in kinds.items()])
    table = ensure(on_trino.catalog, TableSpec("tests.every_type", schema))
    commit(table, summary={}, added=write_files(table, pa.Table.from_pylist([*rows, {}], schema)))

    texts = ", ".join(f"canonical('{name}', '{kind}')" for name, kind in kinds.items())
    hashes = {}
    for target in ("embedded", "stack"):
        inline = f"select {{{{ hash([{texts}]) }}}} as hashed from every_type"
        compiled = invoke(manifest.PROJECT_DIR, tmp_path, target, ["compile", "--no-introspect", "--inline", inline])
        hashes[target] = compiled.result.results[0].node.compiled_code
    with connect() as conn:
        conn.register("every_type", table.scan().to_arrow())
        of_duckdb = conn.execute(hashes["embedded"]).fetchall()
    of_trino = lake_with_trino.trino.rows(hashes["stack"].replace("every_type", "tests.every_type"))
    assert len({hashed for (hashed,) in of_duckdb}) == 12
    assert sorted(map(tuple, of_trino)) == sorted(of_duckdb)


def test_an_increment_on_trino_reads_and_writes_as_much_at_twenty_times_the_size(on_trino, lake_with_trino):
    bank, models = contract("bank_users"), ("h_users", "s_users")
    costs = []
    for keys, position, new_day in ((20, 0, 50), (400, 1_000, 51)):
        for day in (1, 2, 3):
            on_trino.change(bank.id, *inputs.changes(bank, position + keys * day, (day,), "c", keys=keys))
            on_trino.events(*inputs.events(position + keys * day, (day,), keys))
        on_trino.build(*models)
        on_trino.build("daily_active_users", days=DAYS)

        on_trino.change(bank.id, *inputs.changes(bank, position + 9_000, (45,), "u", keys=2))
        on_trino.events(*inputs.events(position + 9_000, (new_day,)))
        before = set(computed(lake_with_trino))
        on_trino.build(*models)
        on_trino.build("daily_active_users", days=(new_day, new_day))
        read = dict(cost for query, cost in computed(lake_with_trino).items() if query not in before)
        costs.append((read, [added(on_trino, f"raw_vault.{name}") for name in models]))
    assert costs[0] == costs[1]
    assert costs[0][0].keys() == {"daily_active_users", *models}
    assert costs[0][1] == ["0", "2"]


def added(lake: Lake, identifier: str) -> str:
    """How many rows the last commit wrote."""
    snapshot = lake.catalog.load_table(identifier).current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    return snapshot.summary.additional_properties.get("added-records", "0")


def computed(servers: Servers) -> dict[str, tuple[str, int]]:
    """Of each query that staged a model's rows: the model, and how many rows Trino read."""
    asked = requests.get(f"http://127.0.0.1:{servers.trino.port}/v1/query", headers={"X-Trino-User": USER}, timeout=30)
    return {
        query["queryId"]: (
            query["query"].split('"staging"."')[1].split('"')[0].rpartition("_")[0],
            query["queryStats"]["rawInputPositions"],
        )
        for query in asked.json()
        if '"staging"."' in query["query"]
    }


def test_a_build_that_lost_trino_on_the_way_is_completed_by_the_next(on_duckdb, on_trino, lake_with_trino):
    for lake in (on_duckdb, on_trino):
        for position, op in ((0, "c"), (100, "u")):
            for table in map(contract, ("bank_users", "bank_accounts")):
                lake.change(table.id, *inputs.changes(table, position, (1 + position,), op))
            if op == "c":
                lake.build(*BANK)
    on_duckdb.build(*BANK)
    project = manifest.project()
    results = build_models(on_trino.platform, project, [project.model(name) for name in BANK])
    with pytest.raises(DbtFailed):
        _kill_on_the_first(results, lake_with_trino)
    lake_with_trino.trino.start()
    assert set(on_trino.build(*BANK).values()) == {"built", "unchanged"}
    assert_equal(on_duckdb, on_trino, BANK)


def _kill_on_the_first(results: Iterator[object], servers: Servers) -> None:
    for result in results:
        if isinstance(result, Built):
            servers.trino.kill()
