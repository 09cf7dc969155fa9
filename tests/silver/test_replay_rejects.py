"""Rejects that are given another try: each ends at its own place, once, or stays with today's reason."""

from __future__ import annotations

from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.bronze.dead_letters import CannotReplay, Replayed
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.rules import one_of, starts_with
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import commit
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import checks, rejects
from lakehouse_assets.silver.replay import replay
from lakehouse_assets.sources.files import write_delivery
from tests.scenario import retail
from tests.silver.lakes import (
    current,
    differences,
    fold,
    open_platform,
    refused,
    state,
    take,
    with_source,
)
from tests.silver.second_tries import (
    CRASHES,
    EVENTS,
    at_once,
    never_misread,
    open_rejects,
    replay_rejects,
    told,
)
from tests.silver.test_events import event

PRODUCTS = contract("shop_products")


def with_rule(table: Table, column: str, *rules: Any) -> Table:
    columns = tuple(with_fields(c, rules=rules) if c.name == column else c for c in table.columns)
    return with_fields(table, columns=columns)


STRICT_EVENTS = with_rule(EVENTS, "page", starts_with("/p"))
MISTAKES = {"shop_products": with_source(PRODUCTS, decimal="precise"), "clickstream_user_events": STRICT_EVENTS}


@pytest.mark.parametrize("table_id", sorted(MISTAKES))
def test_replayed_rejects_give_the_tables_of_a_lake_that_never_had_them(platform: Platform, table_id: str) -> None:
    table = contract(table_id)
    take(platform, table, told(table))
    fold(platform, MISTAKES[table_id])
    waiting = len(open_rejects(platform, table))
    done = replay_rejects(platform, table)
    fold(platform, table)

    assert (done.taken > 5, done.taken + done.left) == (True, waiting)
    assert state(platform, table) == never_misread(table.id)
    assert replay_rejects(platform, table) == Replayed(0, done.left)
    assert state(platform, table) == never_misread(table.id)


def test_a_replayed_row_of_a_file_wins_only_over_older_rows(platform: Platform) -> None:
    products = contract("retail_products")
    folder = platform.home / "files" / "retail" / "products"
    folder.mkdir(parents=True)
    for name, rows in (("1", "7,Mug,home,5.00,1.00\n8,Cup,odd,5.00,1.00"), ("2", "7,Mug,odd,6.00,1.00"),
                       ("3", "7,Mug,home,7.00,1.00\n9,Jar,odd,1.00,1.00")):  # fmt: skip
        (folder / f"{name}.csv").write_text(f"product_id,product_name,category,price,cost\n{rows}\n")
        fold(platform, with_rule(products, "category", starts_with("home")))
    assert len(open_rejects(platform, products)) == 3
    done = replay_rejects(platform, products)

    assert done == Replayed(taken=3, left=0)
    assert sorted((row["product_id"], str(row["price"])) for row in current(platform, products)) == [
        (7, "7.00"),
        (8, "5.00"),
        (9, "1.00"),
    ]
    assert differences(platform, products) == []


def test_a_table_equals_its_source_again_once_its_rejects_are_in(platform: Platform) -> None:
    take(platform, PRODUCTS, told(PRODUCTS))
    fold(platform, MISTAKES[PRODUCTS.id])
    assert not checks.source_is_equalled(platform.open_catalog(), PRODUCTS).passed
    replay_rejects(platform, PRODUCTS)
    fold(platform, PRODUCTS)

    assert checks.source_is_equalled(platform.open_catalog(), PRODUCTS).passed
    assert differences(platform, PRODUCTS) == []


def test_a_reject_that_is_refused_for_another_reason_says_todays(platform: Platform) -> None:
    take(platform, EVENTS, [event(0, 0, "/a"), event(0, 1, "/b", "f")])
    fold(platform, with_rule(EVENTS, "page", starts_with("/p")))
    before = refused(platform, EVENTS)
    today = with_rule(EVENTS, "page", one_of("/b"))

    assert replay(platform, today, open_rejects(platform, EVENTS)) == Replayed(taken=1, left=1)
    (left,) = refused(platform, EVENTS)
    assert (left["offset"], left["rule"]) == (0, "page_is_known")
    assert left["rule"] not in {row["rule"] for row in before}


@pytest.mark.parametrize("moment", ["before silver commits", "after silver committed"])
def test_a_crash_in_a_replay_of_rejects_loses_and_doubles_nothing(
    platform: Platform, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(platform, PRODUCTS, told(PRODUCTS))
    fold(platform, MISTAKES[PRODUCTS.id])
    with monkeypatch.context() as patch:
        CRASHES[moment](patch)
        with pytest.raises(RuntimeError, match="power failure"):
            replay_rejects(platform, PRODUCTS)
    # What the crash kept out of the table is still among the rejects.
    assert replay_rejects(platform, PRODUCTS).left == 0
    fold(platform, PRODUCTS)

    assert state(platform, PRODUCTS) == never_misread(PRODUCTS.id)


def test_replays_of_the_same_rejects_at_the_same_time_take_each_row_once(tmp_path: Path) -> None:
    with open_platform(tmp_path) as first, open_platform(tmp_path) as second:
        take(first, PRODUCTS, told(PRODUCTS))
        fold(first, MISTAKES[PRODUCTS.id])
        chosen = open_rejects(first, PRODUCTS)
        done: list[Replayed] = []
        at_once(*(lambda p=p: done.append(replay(p, PRODUCTS, chosen)) for p in (first, second)))
        fold(first, PRODUCTS)

        assert sum(d.taken for d in done) == len(chosen)
        assert state(first, PRODUCTS) == never_misread(PRODUCTS.id)


def test_a_reject_whose_bronze_row_is_gone_is_refused_by_name(platform: Platform) -> None:
    take(platform, PRODUCTS, told(PRODUCTS))
    fold(platform, MISTAKES[PRODUCTS.id])
    before = state(platform, PRODUCTS)
    bronze = platform.open_catalog().load_table(f"bronze.{PRODUCTS.id}")
    commit(bronze, summary={}, removed=data_files(bronze))

    with pytest.raises(CannotReplay, match=rf"shop_products: .* topic {PRODUCTS.topic}, partition \d, offset \d+ and"):
        replay_rejects(platform, PRODUCTS)
    assert state(platform, PRODUCTS) == before


def test_what_is_discarded_stays_counted_and_is_not_tried_again(platform: Platform) -> None:
    take(platform, PRODUCTS, told(PRODUCTS))
    fold(platform, MISTAKES[PRODUCTS.id])
    before, waiting = state(platform, PRODUCTS), open_rejects(platform, PRODUCTS)

    assert rejects.set_aside(platform, PRODUCTS, waiting) == len(waiting)
    assert rejects.set_aside(platform, PRODUCTS, waiting) == 0
    assert checks.source_is_equalled(platform.open_catalog(), PRODUCTS).passed
    assert len(refused(platform, PRODUCTS)) == len(waiting)
    assert state(platform, PRODUCTS).accounts == before.accounts
    assert replay_rejects(platform, PRODUCTS) == Replayed(0, 0)


def test_a_delivery_after_replays_goes_on_as_ever(platform: Platform) -> None:
    for number, delivery in enumerate(retail(4).deliveries):
        write_delivery(platform.home / "files", delivery)
        orders = contract("retail_orders")
        fold(platform, with_rule(orders, "payment_method", starts_with("c")) if number == 0 else orders)
        replay_rejects(platform, orders)
        assert differences(platform, orders) == []
