"""Models whose columns no longer have the types that their tables have."""

from __future__ import annotations

from typing import Any

import pytest
from pyiceberg.types import LongType

from lakehouse_assets.engines.dbt import store
from lakehouse_assets.engines.dbt.marks import CODE
from lakehouse_assets.engines.dbt.runner import DbtFailed
from lakehouse_assets.engines.iceberg.commit import commit

USER = {"position": 1, "day": 1, "op": "c", "id": "u1", "email": "a@x", "name": "A"}
PRODUCT = {"product_id": 7, "product_name": "Tea", "category": "Food", "price": 4, "cost": 1}
SHOWN = ("product_id", "category")


def age(lake: Any, identifier: str, column: str, **summary: str) -> None:
    """Makes the table as if an earlier model had kept numbers in the column."""
    table = lake.catalog.load_table(identifier)
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.delete_column(column)
        update.add_column(column, LongType())
        update.add_column("dropped", LongType())
    if summary:
        commit(lake.catalog.load_table(identifier), summary=summary)


@pytest.fixture
def products(lake: Any) -> Any:
    lake.file_rows("retail_products", PRODUCT)
    lake.build("dim_products")
    age(lake, "marts.dim_products", "category")
    lake.file_rows("retail_products", PRODUCT, PRODUCT | {"product_id": 8})
    return lake


def test_a_column_of_another_type_takes_the_place_of_the_old_one(products):
    assert products.build("dim_products") == {"dim_products": "built"}
    assert products.rows("marts.dim_products", *SHOWN) == [(7, "Food"), (8, "Food")]
    names = [f.name for f in products.catalog.load_table("marts.dim_products").schema().fields]
    assert sorted(names) == ["category", "cost", "margin_rate", "price", "product_id", "product_name"]


def test_a_crash_before_the_rows_is_made_good_by_the_next_run(products, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(store, "commit", None)
        with pytest.raises(DbtFailed, match="dim_products"):
            products.build("dim_products")
    assert products.rows("marts.dim_products", *SHOWN) == [(7, None)]
    assert products.build("dim_products") == {"dim_products": "built"}
    assert products.rows("marts.dim_products", *SHOWN) == [(7, "Food"), (8, "Food")]


def test_a_history_of_other_sql_is_built_from_the_beginning(lake):
    lake.change("bank_users", USER)
    lake.build("h_users", "s_users", "s_users_history")
    age(lake, "business_vault.s_users_history", "email", **{CODE: "other"})
    assert lake.build("s_users_history") == {"s_users_history": "built"}
    assert lake.rows("business_vault.s_users_history", "email") == [("a@x",)]


def test_a_mart_by_day_of_other_sql_has_all_its_days_to_build(lake):
    lake.events(("e1", 1, "click", "/", "web", 1), ("e2", 1, "click", "/", "web", 3))
    lake.build("events_per_source_daily", days=(1, 3))
    age(lake, "marts.events_per_source_daily", "source", **{CODE: "other"})
    lake.build("events_per_source_daily", days=(1, 1))
    assert lake.stale("events_per_source_daily") == [3]
    lake.build("events_per_source_daily", days=(3, 3))
    assert [r[0] for r in lake.rows("marts.events_per_source_daily", "source")] == ["web", "web"]


def test_a_satellite_refuses_a_type_that_cannot_hold_its_rows(lake):
    lake.change("bank_users", USER)
    lake.build("s_users")
    age(lake, "raw_vault.s_users", "email")
    lake.change("bank_users", USER | {"position": 2})
    with pytest.raises(DbtFailed, match="column email holds long, declared is string"):
        lake.build("s_users")
