"""CSV deliveries, landed one after the other or at once, against the independent model."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.sources.files import write_delivery
from tests.scenario import retail
from tests.silver.lakes import current, differences, fold, open_platform, state

FILES = [t.id for t in tables() if t.source.kind == "files"]


@pytest.mark.parametrize("table_id", FILES)
def test_deliveries_one_by_one_or_at_once_give_what_the_model_says(tmp_path: Path, table_id: str) -> None:
    table = contract(table_id)
    states = []
    for name, folds_between in (("at once", False), ("one by one", True)):
        with open_platform(tmp_path / name) as platform:
            for delivery in retail(4).deliveries:
                write_delivery(platform.home / "files", delivery)
                if folds_between:
                    fold(platform, table)
            fold(platform, table)
            assert differences(platform, table) == []
            states.append(state(platform, table))
    assert states[0] == states[1]


def test_a_latest_row_that_is_refused_leaves_the_row_before_it(platform: Platform) -> None:
    products = contract("retail_products")
    folder = platform.home / "files" / "retail" / "products"
    folder.mkdir(parents=True)
    header = "product_id,product_name,category,price,cost\n"
    for name, price in (("1", "5.00"), ("2", "6.00"), ("3", "-1.00"), ("4", "dear")):
        (folder / f"{name}.csv").write_text(f"{header}7,Mug,home,{price},1.00\n")
        fold(platform, products)

    assert [str(row["price"]) for row in current(platform, products)] == ["6.00"]
    assert differences(platform, products) == []
