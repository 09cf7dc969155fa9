"""The contracts that are there: complete, described, and consistent with each other."""

from __future__ import annotations

import re

import pytest

from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.rules import RefersTo
from lakehouse_assets.contracts.table import Table

ELEVEN = {
    "bank_accounts": ("id",),
    "bank_users": ("id",),
    "clickstream_user_events": ("event_id",),
    "retail_customers": ("customer_id",),
    "retail_order_items": ("order_item_id",),
    "retail_orders": ("order_id",),
    "retail_products": ("product_id",),
    "shop_orders": ("id",),
    "shop_products": ("id",),
    "shop_user_sessions": ("id",),
    "shop_users": ("id",),
}
each_table = pytest.mark.parametrize("table", registry.tables(), ids=lambda t: t.id)


def test_the_registry_finds_all_eleven_tables_and_their_keys() -> None:
    assert {t.id: t.key for t in registry.tables()} == ELEVEN


def test_an_unknown_table_is_refused_by_naming_the_known_ones() -> None:
    with pytest.raises(registry.UnknownTable, match=r"no table 'bank_user'; there are bank_accounts, bank_users"):
        registry.table("bank_user")


@each_table
def test_every_table_and_column_says_what_it_is(table: Table) -> None:
    for text in (table.description, table.source.description, *(c.description for c in table.columns)):
        assert re.fullmatch(r"[A-Z0-9].{8,}\.", text), text


@each_table
def test_every_owner_is_one_that_dagster_accepts(table: Table) -> None:
    assert re.fullmatch(r"team:[A-Za-z0-9_-]+", table.owned_by)


@each_table
def test_every_reference_names_a_table_of_the_source_with_one_key_of_the_same_type(table: Table) -> None:
    for column in table.columns:
        for rule in (r for r in column.rules if isinstance(r, RefersTo)):
            (key,) = registry.table(f"{table.source.name}_{rule.table}").key_columns
            assert key.type == column.type


@each_table
def test_every_module_is_named_like_its_table(table: Table) -> None:
    module = __import__(f"lakehouse_assets.contracts.{table.source.name}.{table.name}", fromlist=["TABLE"])
    assert module.TABLE is table


def test_topics_are_those_the_sources_write_to() -> None:
    topics = {
        registry.table(i).topic for i in ("bank_users", "shop_orders", "clickstream_user_events", "retail_orders")
    }
    assert topics == {"bank.public.users", "shop.shop.orders", "user-events", "files/retail/orders"}


def test_personal_data_is_marked() -> None:
    personal = {f"{t.id}.{c.name}" for t in registry.tables() for c in t.columns if c.pii}
    assert personal == {
        "bank_users.email",
        "bank_users.name",
        "shop_users.email",
        "shop_users.full_name",
        "shop_users.birth_date",
        "shop_user_sessions.ip_address",
        "retail_customers.first_name",
        "retail_customers.last_name",
        "retail_customers.email",
    }
