"""Adding a source table is one file and `lakehouse sync`, tried on a copy of the project with a new table per kind.

Where it stops: events are not tried, because all tables of that source share its one topic.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.clickhouse.client import stop
from lakehouse_assets.profiles import embedded
from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.sources.change_stream import ChangeStream, change_stream
from lakehouse_assets.sources.changes import Knobs
from lakehouse_assets.sources.writer import append

ROOT = Path(__file__).resolve().parent.parent

CARDS = '''"""`bank.public.cards`: a table that was not there before."""

from __future__ import annotations

from lakehouse_assets.contracts.bank.source import SOURCE
from lakehouse_assets.contracts.rules import one_of, refers_to
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import (
    array, binary, boolean, date, decimal, double, integer, json, text, timestamptz, uuid, varchar,
)

TABLE = Table(
    source=SOURCE,
    name="cards",
    description="One row per payment card.",
    key=("id",),
    columns=(
        Column("id", uuid, "The card's identifier."),
        Column("account_id", uuid, "The account that it draws on.", rules=(refers_to("accounts"),)),
        Column("holder", text, "Name on the card.", pii=True),
        Column("network", varchar(8), "Who settles.", rules=(one_of("visa", "amex"),)),
        Column("daily_limit", decimal(38, 10), "At most so much a day."),
        Column("score", double, "Risk, any number."),
        Column("settings", json, "Whatever the application keeps.", nullable=True),
        Column("chip", binary, "What the chip answered.", nullable=True),
        Column("labels", array(text), "Labels in the order they were given.", nullable=True),
        Column("pin_changes", array(integer), "Day numbers of changes of the PIN."),
        Column("is_virtual", boolean, "Whether there is no plastic."),
        Column("valid_until", date, "Last day on which it works."),
        Column("updated_at", timestamptz(6), "When the row was last written."),
    ),
    sort_by=("id",),
)
'''
STORES = '''"""`files/retail/stores`: files that did not come before."""

from __future__ import annotations

from lakehouse_assets.contracts.retail.source import SOURCE
from lakehouse_assets.contracts.rules import at_least
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import date, decimal, integer, text

TABLE = Table(
    source=SOURCE,
    name="stores",
    description="One row per shop of the chain.",
    key=("store_id",),
    columns=(
        Column("store_id", integer, "The shop's number."),
        Column("city", text, "Where it is."),
        Column("rent", decimal(9, 2), "A month's rent.", rules=(at_least(0),)),
        Column("opened_on", date, "First day.", nullable=True),
    ),
    sort_by=("store_id",),
)
'''
CHECKS = """
import json
from lakehouse_assets.definitions import lakehouse
keys = lakehouse().resolve_asset_graph().asset_check_keys
print(json.dumps(sorted(f"{k.asset_key.to_user_string()}: {k.name}" for k in keys)))
"""
GENERATED = {"dbt_project/models/silver.yml", "deploy/postgres/init/20-bank.sql", "tests/asset_graph.txt"}


@dataclass(frozen=True)
class Copy:
    """A copy of the project with its own lakehouse, and what was true of the messages that were written.

    `changed` are the files that `lakehouse sync` changed, dbt's own folder left out.
    """

    folder: Path
    home: Path
    changed: set[str]
    new_assets: set[str]
    checks: set[str]
    stream: ChangeStream

    def rows(self, identifier: str) -> list[dict[str, Any]]:
        catalog = embedded.platform(Settings(home=self.home)).open_catalog()
        try:
            return list(catalog.load_table(identifier).scan().to_arrow().to_pylist())
        finally:
            catalog.close()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    _copy_project(folder)
    (folder / "lakehouse_assets/contracts/bank/cards.py").write_text(CARDS)
    (folder / "lakehouse_assets/contracts/retail/stores.py").write_text(STORES)
    before = _contents(folder)
    _lakehouse(folder, home, "sync")
    after = _contents(folder)
    changed = {name for name in after if after[name] != before.get(name)}
    new_assets = _assets(after) - _assets(before)
    checks = set(json.loads(_python(folder, home, "-c", CHECKS)))

    stream = change_stream(_declared(CARDS), 5, Knobs(rows=20, transactions=60, awkward=0.5))
    append(home / "events", stream.messages)
    delivery = home / "files/retail/stores/2026-01-05.csv"
    delivery.parent.mkdir(parents=True)
    delivery.write_text("store_id,city,rent,opened_on\n1,Köln,1200.50,2020-02-29\n2,Łódź,800.00,\n1,Bonn,1300.00,\n")
    try:
        _lakehouse(folder, home, "materialize", "+key:silver/bank_cards or +key:silver/retail_stores")
        yield Copy(folder, home, changed, new_assets, checks, stream)
    finally:
        stop(home)


def _copy_project(folder: Path) -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("sample_data/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _contents(folder: Path) -> dict[str, bytes]:
    made = ("target", "__pycache__")
    paths = [p for p in folder.rglob("*") if p.is_file() and not any(part in made for part in p.parts)]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


def _assets(contents: dict[str, bytes]) -> set[str]:
    """`asset <- its parents`, from the snapshot of the graph."""
    lines = [line.split("|") for line in contents["tests/asset_graph.txt"].decode().splitlines()[1:]]
    return {f"{line[0].strip()} <- {line[-1].strip()}" for line in lines}


def _python(folder: Path, home: Path, *arguments: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAKEHOUSE_", "DAGSTER_"))}
    environment = kept | {"PYTHONPATH": str(folder), "LAKEHOUSE_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def _lakehouse(folder: Path, home: Path, *arguments: str) -> None:
    _python(folder, home, "-m", "lakehouse_assets.cli.main", *arguments)


def _declared(code: str) -> Table:
    names: dict[str, Any] = {}
    exec(code, names)
    table: Table = names["TABLE"]
    return table


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}


def test_its_assets_appear_in_every_layer_that_is_derived(copy: Copy) -> None:
    assert {asset for asset in copy.new_assets if not asset.startswith("sources/")} == {
        "bronze/bank_cards <- sources/bank_cards",
        "silver/bank_cards_changes <- bronze/bank_cards",
        "silver/bank_cards <- silver/bank_cards_changes",
        "bronze/retail_stores <- sources/retail_stores",
        "silver/retail_stores <- bronze/retail_stores",
    }


def test_its_checks_follow_from_its_rules(copy: Copy) -> None:
    assert copy.checks >= {
        "sources/bank_cards: everything_needed_is_reachable",
        "sources/bank_cards: table_is_fresh",
        "bronze/bank_cards: every_message_is_accounted",
        "silver/bank_cards_changes: every_row_is_accounted",
        "silver/bank_cards: key_is_unique",
        "silver/bank_cards: cards_equals_source",
        "silver/bank_cards: holder_is_present",
        "silver/bank_cards: account_id_refers_to_accounts",
        "silver/retail_stores: every_row_is_accounted",
        "silver/retail_stores: key_is_unique",
        "silver/retail_stores: rent_is_at_least_0",
    }


def test_it_is_a_dbt_source_with_its_personal_columns_marked(copy: Copy) -> None:
    assert "name: bank_cards_changes" in (copy.folder / "dbt_project/models/silver.yml").read_text()
    manifest = json.loads((copy.folder / "dbt_project/target/manifest.json").read_bytes())
    sources = {node["name"]: node for node in manifest["sources"].values()}
    assert {"bank_cards", "bank_cards_changes", "retail_stores"} <= sources.keys()
    columns = sources["bank_cards"]["columns"]
    assert columns["daily_limit"]["data_type"] == "decimal(38,10)"
    assert [name for name, column in columns.items() if column["meta"].get("pii")] == ["holder"]


def test_its_messages_are_landed_and_refined_to_the_right_rows(copy: Copy) -> None:
    names = [c.name for c in _declared(CARDS).columns]
    current = {row["id"]: {n: row[n] for n in names} for row in copy.rows("silver.bank_cards")}
    truth = [_plain(row) for row in copy.stream.truth.current.values()]
    assert len(truth) > 10
    assert current == {row["id"]: row for row in truth}
    told = [(c.op, str(c.key[0]) if c.key else None) for c in copy.stream.truth.changes]
    changes = sorted(copy.rows("silver.bank_cards_changes"), key=lambda row: row["change_position"])
    assert sorted((row["op"], row["id"]) for row in changes) == sorted(told)
    assert len(copy.rows("bronze.bank_cards")) == len(copy.stream.messages)


def test_its_files_are_landed_and_refined_to_the_latest_row_of_each_key(copy: Copy) -> None:
    found = {row["store_id"]: (row["city"], str(row["rent"])) for row in copy.rows("silver.retail_stores")}
    assert found == {1: ("Bonn", "1300.00"), 2: ("Łódź", "800.00")}


def test_syncing_changes_the_generated_files_and_no_other(copy: Copy) -> None:
    assert copy.changed == GENERATED
