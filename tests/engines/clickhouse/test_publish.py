"""Publishing: gold becomes the mart's version, by the cheapest way, or stays as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from lakehouse_assets.engines.clickhouse.ddl import GoldTable, gold_table
from lakehouse_assets.engines.clickhouse.publish import Mismatch, Published, publish
from lakehouse_assets.engines.iceberg import commit, scan
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure

FIELDS = [
    pa.field("event_date", pa.date32(), nullable=False),
    pa.field("page", pa.string(), nullable=False),
    pa.field("views", pa.int64()),
    pa.field("revenue", pa.decimal128(18, 2)),
    pa.field("rate", pa.float64()),
    pa.field("updated_at", pa.timestamp("us", tz="UTC")),
]
LOADED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBERS = count()


@dataclass(frozen=True)
class Mart:
    """A mart whose commits replace all rows, and say which days they touched."""

    catalog: Catalog
    spec: TableSpec

    @property
    def table(self) -> Table:
        return ensure(self.catalog, self.spec)

    def write(self, rows: Sequence[Mapping[str, Any]], days: Sequence[str] | None = None) -> Table:
        table = self.table
        summary = {} if days is None else {commit.DAYS: json.dumps(days)}
        added = commit.write_files(table, pa.Table.from_pylist(list(rows), schema=self.spec.schema))
        removed = scan.data_files(table)
        commit.commit(table, summary=summary, added=added, removed=removed)
        return self.table


def row(day: str, page: str = "/", views: int = 1, revenue: str = "0.10") -> dict[str, Any]:
    return {
        "event_date": date.fromisoformat(day),
        "page": page,
        "views": views,
        "revenue": Decimal(revenue),
        "rate": 0.1 * views,
        "updated_at": LOADED_AT,
    }


@pytest.fixture
def mart(catalog: Catalog) -> Mart:
    spec = TableSpec(f"marts.visits_{next(NUMBERS)}", pa.schema(FIELDS), partition_by=(("day", "event_date"),))
    return Mart(catalog, spec)


def target_of(mart: Mart) -> GoldTable:
    name = mart.spec.identifier.split(".")[1]
    meta = {"engine": "ReplacingMergeTree(updated_at)", "order_by": ["event_date", "page"]}
    return gold_table(name, {**meta, "partition_by": "toYYYYMM(event_date)"})


def gold(clickhouse: Client, mart: Mart) -> list[tuple[str, str, int]]:
    found = clickhouse.query(f"SELECT event_date, page, views FROM gold.{target_of(mart).name} ORDER BY 1, 2")
    return [(str(day), page, views) for day, page, views in found.result_rows]


@pytest.fixture
def published(clickhouse: Client, mart: Mart, home: Path) -> Mart:
    """January, February and March, one row each, are in gold."""
    rows = [row("2026-01-05"), row("2026-02-05"), row("2026-03-05")]
    table = mart.write(rows, days=["2026-01-05", "2026-02-05", "2026-03-05"])
    done = publish(clickhouse, table, target_of(mart), home=home)
    assert done == Published(3, (), "create", table.current_snapshot().snapshot_id)
    return mart


def test_a_second_publish_does_nothing(clickhouse: Client, published: Mart, home: Path) -> None:
    done = publish(clickhouse, published.table, target_of(published), home=home)
    assert (done.rows, done.how) == (0, "none")
    assert "already" in (done.skipped or "")


@pytest.mark.parametrize(
    ("days", "rows", "how", "months", "loaded"),
    [
        (["2026-02-05"], {"2026-02": 7}, "replace_partition", ("2026-02",), 1),
        (["2026-02-05"], {"2026-02": None}, "drop_partition", ("2026-02",), 0),
        (["2026-02-05", "2026-03-05"], {"2026-02": 7, "2026-03": 8}, "exchange", ("2026-02", "2026-03"), 2),
        (["2026-02-05", "2026-03-05"], {"2026-02": None, "2026-03": 8}, "exchange", ("2026-02", "2026-03"), 1),
        (["2026-04-05"], {"2026-04": 9}, "replace_partition", ("2026-04",), 1),
        ([], {}, "comment", (), 0),
        (None, {"2026-02": 7}, "exchange", (), 3),
    ],
)
def test_only_the_months_that_changed_are_loaded(
    clickhouse: Client,
    published: Mart,
    home: Path,
    days: list[str] | None,
    rows: dict[str, int | None],
    how: str,
    months: Sequence[str],
    loaded: int,
) -> None:
    views: dict[str, int | None] = {"2026-01": 1, "2026-02": 1, "2026-03": 1, **rows}
    expected = [(f"{month}-05", "/", n) for month, n in views.items() if n is not None]
    table = published.write([row(day, views=n) for day, _, n in expected], days=days)
    done = publish(clickhouse, table, target_of(published), home=home)
    assert (done.how, done.months, done.rows) == (how, months, loaded)
    assert gold(clickhouse, published) == expected
    assert publish(clickhouse, table, target_of(published), home=home).skipped


def test_days_of_every_commit_since_the_last_publish_count(clickhouse: Client, published: Mart, home: Path) -> None:
    published.write([row("2026-01-05", views=4), row("2026-02-05"), row("2026-03-05")], days=["2026-01-05"])
    published.write([row("2026-01-05", views=4), row("2026-02-05"), row("2026-03-05", views=5)], days=["2026-03-05"])
    done = publish(clickhouse, published.table, target_of(published), home=home)
    assert (done.how, done.months) == ("exchange", ("2026-01", "2026-03"))
    assert [views for *_, views in gold(clickhouse, published)] == [4, 1, 5]


def test_an_older_version_never_replaces_a_newer_one(clickhouse: Client, published: Mart, home: Path) -> None:
    older = published.table
    newer = published.write([row("2026-01-05", views=9)], days=["2026-01-05", "2026-02-05", "2026-03-05"])
    publish(clickhouse, newer, target_of(published), home=home)
    done = publish(clickhouse, older, target_of(published), home=home)
    assert done.how == "none"
    assert "newer" in (done.skipped or "")
    assert gold(clickhouse, published) == [("2026-01-05", "/", 9)]


@pytest.mark.parametrize("days", [["2026-02-05"], ["2026-02-05", "2026-03-05"], None])
def test_a_mart_that_clickhouse_loads_differently_leaves_gold_untouched(
    clickhouse: Client, published: Mart, home: Path, days: list[str] | None
) -> None:
    before = gold(clickhouse, published)
    twice = [row("2026-02-05", views=3), row("2026-02-05", views=4)]  # one key twice: ReplacingMergeTree keeps one row
    table = published.write([row("2026-01-05"), *twice, row("2026-03-05")], days=days)
    with pytest.raises(Mismatch, match=r"rows \d and \d.*sum of views"):
        publish(clickhouse, table, target_of(published), home=home)
    assert gold(clickhouse, published) == before
    repaired = published.write([row("2026-01-05"), row("2026-02-05", views=7), row("2026-03-05")], days=days)
    publish(clickhouse, repaired, target_of(published), home=home)
    assert [views for *_, views in gold(clickhouse, published)] == [1, 7, 1]


def test_an_uncommitted_version_in_the_folder_is_never_served(clickhouse: Client, published: Mart, home: Path) -> None:
    table = published.table
    folder = Path(table.metadata_location.removeprefix("file://"))
    ahead = published.write([row("2026-02-05", views=100)], days=["2026-02-05"])
    clickhouse.command(f"DROP TABLE gold.{target_of(published).name} SYNC")
    assert folder.parent == Path(ahead.metadata_location.removeprefix("file://")).parent
    assert publish(clickhouse, table, target_of(published), home=home).rows == 3
    assert [views for *_, views in gold(clickhouse, published)] == [1, 1, 1]


class Crash(RuntimeError):
    pass


class Interrupted:
    """A client that ends before its n-th command, as a process that is killed does."""

    def __init__(self, client: Client, commands: int) -> None:
        self._client, self._left = client, commands

    def query(self, *args: Any, **kwargs: Any) -> Any:
        return self._client.query(*args, **kwargs)

    def command(self, *args: Any, **kwargs: Any) -> Any:
        if self._left == 0:
            raise Crash
        self._left -= 1
        return self._client.command(*args, **kwargs)


@pytest.mark.parametrize("days", [["2026-02-05"], ["2026-02-05", "2026-03-05"]])
def test_a_crash_between_any_two_steps_leaves_one_version_and_a_rerun_repairs(
    clickhouse: Client, published: Mart, home: Path, days: list[str]
) -> None:
    old = gold(clickhouse, published)
    changed = [row("2026-01-05"), row("2026-02-05", views=7), row("2026-03-05", views=len(days))]
    table = published.write(changed, days=days)
    new = [(str(r["event_date"]), "/", r["views"]) for r in changed]
    for commands in count():
        try:
            publish(Interrupted(clickhouse, commands), table, target_of(published), home=home)  # type: ignore[arg-type]
        except Crash:
            assert gold(clickhouse, published) in (old, new)
        else:
            break
    assert commands >= 5
    assert gold(clickhouse, published) == new
    publish(clickhouse, table, target_of(published), home=home)
    assert gold(clickhouse, published) == new


def test_gold_that_lost_rows_is_loaded_whole(clickhouse: Client, published: Mart, home: Path) -> None:
    clickhouse.command(f"ALTER TABLE gold.{target_of(published).name} DROP PARTITION ID '202601'")
    table = published.write([row("2026-01-05"), row("2026-02-05", views=7), row("2026-03-05")], days=["2026-02-05"])
    assert publish(clickhouse, table, target_of(published), home=home).how == "exchange"
    assert [views for *_, views in gold(clickhouse, published)] == [1, 7, 1]


def test_a_mart_that_grew_a_column_is_loaded_whole(clickhouse: Client, published: Mart, home: Path) -> None:
    grown = TableSpec(published.spec.identifier, pa.schema([*FIELDS, pa.field("visitors", pa.int64())]))
    mart = Mart(published.catalog, grown)
    table = mart.write([{**row("2026-02-05"), "visitors": 5}], days=["2026-02-05"])
    assert publish(clickhouse, table, target_of(mart), home=home).how == "exchange"
    assert clickhouse.query(f"SELECT visitors FROM gold.{target_of(mart).name}").result_rows == [(5,)]


def test_a_mart_made_again_replaces_the_old_one(clickhouse: Client, published: Mart, home: Path) -> None:
    published.write([row("2026-02-05")], days=["2026-02-05"])
    publish(clickhouse, published.table, target_of(published), home=home)
    published.catalog.drop_table(published.spec.identifier)
    table = published.write([row("2026-05-05", views=2)], days=["2026-05-05"])
    publish(clickhouse, table, target_of(published), home=home)
    assert gold(clickhouse, published) == [("2026-05-05", "/", 2)]


def test_an_empty_mart_is_an_empty_table(clickhouse: Client, mart: Mart, home: Path) -> None:
    done = publish(clickhouse, mart.table, target_of(mart), home=home)
    assert (done.rows, done.how, done.snapshot_id) == (0, "create", None)
    assert gold(clickhouse, mart) == []
    publish(clickhouse, mart.write([row("2026-02-05")], days=["2026-02-05"]), target_of(mart), home=home)
    assert gold(clickhouse, mart) == [("2026-02-05", "/", 1)]


def test_a_mart_without_months_is_exchanged(clickhouse: Client, mart: Mart, home: Path) -> None:
    target = GoldTable(target_of(mart).name, order_by=("page",), engine="MergeTree")
    publish(clickhouse, mart.write([row("2026-01-05"), row("2026-02-05")]), target, home=home)
    done = publish(clickhouse, mart.write([row("2026-02-05", views=3)], days=["2026-02-05"]), target, home=home)
    assert done.how == "exchange"
    assert gold(clickhouse, mart) == [("2026-02-05", "/", 3)]


def test_nulls_and_wide_values_arrive_exactly(clickhouse: Client, mart: Mart, home: Path) -> None:
    wide = {**row("1969-12-31", views=2**63 - 1, revenue="-9999999999999999.99"), "rate": None}
    bare = {**row("2026-02-05", page="/naïve'\\"), "views": None, "revenue": None}
    publish(clickhouse, mart.write([wide, bare]), target_of(mart), home=home)
    found = clickhouse.query(f"SELECT page, views, revenue, rate FROM gold.{target_of(mart).name} ORDER BY event_date")
    assert found.result_rows == [
        ("/", 2**63 - 1, Decimal("-9999999999999999.99"), None),
        ("/naïve'\\", None, None, 0.1),
    ]


def test_racing_publishers_end_with_the_newest(clickhouse: Client, published: Mart, home: Path) -> None:
    versions = [published.write([row("2026-02-05", views=n)], days=["2026-02-05"]) for n in (2, 3, 4)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda table: publish(clickhouse, table, target_of(published), home=home), versions))
    assert gold(clickhouse, published) == [("2026-02-05", "/", 4)]
