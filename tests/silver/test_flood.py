"""Batches of which most is refused: the run stops with nothing taken, unless the batch is small or it is let in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakehouse_assets.bronze.flood import Flood
from lakehouse_assets.bronze.land import land, state
from lakehouse_assets.bronze.land_files import land_files
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.bronze_slice import watermark
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append
from tests.silver.lakes import differences, fold, refused, take
from tests.silver.told import USERS, user

GUARDED = replace(USERS, flood_minimum=10)


def dead(first: int, count: int) -> list[Message]:
    return [user(n, "a", "x", n + 1) for n in range(first, first + count)]


def test_a_flood_of_dead_letters_stops_the_landing_and_leaves_the_offsets(platform: Platform) -> None:
    take(platform, GUARDED, [user(0, "a", "c", 1)])
    before = platform.open_catalog().load_table("bronze.bank_users")
    append(platform.home / "events", [m._replace(offset=m.offset - 1) for m in (user(1, "a", "u", 2), *dead(2, 9))])
    with pytest.raises(
        Flood,
        match=rf"bank_users: 9 of a batch of 10 messages are dead letters \(90%.* topic {USERS.topic}, partition 0,"
        r" offset 2: op x is not one of .* LAKEHOUSE_LET_FLOODS_IN=bank_users",
    ):
        land(platform, GUARDED)
    after = platform.open_catalog().load_table("bronze.bank_users")

    assert (state(after), after.current_snapshot()) == (state(before), before.current_snapshot())
    assert state(after).offsets == {0: 1}


def test_a_small_batch_of_dead_letters_alone_is_landed(platform: Platform) -> None:
    take(platform, GUARDED, dead(0, 9))
    known = state(platform.open_catalog().load_table("bronze.bank_users"))
    assert (known.offsets, known.consumed, known.dead) == ({0: 9}, 9, 9)


def test_a_flood_that_is_let_in_is_taken(platform: Platform) -> None:
    welcome = replace(platform, let_floods_in=frozenset({"bank_users"}))
    take(welcome, GUARDED, dead(0, 20))
    take(welcome, GUARDED, [user(n, "a", "c", n, created_at="never") for n in range(20, 40)])
    fold(welcome, GUARDED)
    assert len(refused(welcome, USERS)) == 20
    assert differences(welcome, USERS) == []


def test_a_flood_of_rejects_stops_the_fold_and_leaves_the_watermark(platform: Platform) -> None:
    take(platform, GUARDED, [user(0, "a", "c", 1)])
    fold(platform, GUARDED)
    before = watermark(platform.open_catalog().load_table(schema.changes_name(USERS)))
    take(platform, GUARDED, [user(n, "a", "u", n + 1, created_at="never" if n > 4 else None) for n in range(1, 15)])
    with pytest.raises(
        Flood,
        match=rf"bank_users: 10 of a batch of 14 messages are rejects .* topic {USERS.topic}, partition 0, offset 5:"
        r" not_representable: created_at: 'never'",
    ):
        fold_changes(platform, GUARDED)

    assert watermark(platform.open_catalog().load_table(schema.changes_name(USERS))) == before
    assert refused(platform, USERS) == []


def test_a_file_of_bad_records_is_not_landed(platform: Platform) -> None:
    products = replace(contract("retail_products"), flood_minimum=10)
    folder = platform.home / "files" / "retail" / "products"
    folder.mkdir(parents=True)
    (folder / "1.csv").write_text("product_id,product_name,category,price,cost\n" + "7,Mug\n" * 10)
    with pytest.raises(
        Flood, match=r"retail_products: 10 of a batch of 10 .* offset 0: files/.*1\.csv, line 2: 2 fields"
    ):
        land_files(platform, products)
    assert platform.open_catalog().load_table("bronze.retail_products").current_snapshot() is None
    assert list((platform.home / "warehouse").rglob("*.parquet")) == []


@pytest.mark.parametrize("wrong", [{"flood_share": 1.5}, {"flood_share": -0.1}])
def test_a_share_that_is_none_is_refused_by_the_contract(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"bank_users: flood_share is a share of 0 to 1, got {wrong['flood_share']}"):
        replace(USERS, **wrong)  # type: ignore[arg-type]
