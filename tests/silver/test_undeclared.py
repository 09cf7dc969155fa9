"""Columns that the contract does not know are told, and those that it knows are found under any name they ever had."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lakehouse_assets.bronze.schema import spec as bronze_spec
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import text
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.tables import TableSpec
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import checks, schema
from lakehouse_assets.silver.undeclared import MOST, UNDECLARED, undeclared
from tests.silver.lakes import current, fold, take
from tests.silver.told import USERS, user

TOPIC = USERS.topic


def with_columns(*columns: Column) -> Table:
    """The users of the bank, whose name is told otherwise."""
    return replace(USERS, columns=(*(c for c in USERS.columns if c.name != "name"), *columns))


def named(name: str, **settings: Any) -> Column:
    return Column(name, text, "A name.", nullable=True, **settings)


def told(platform: Platform, table: Table = USERS) -> dict[str, str]:
    return undeclared(table, marks(platform.open_catalog().load_table(schema.changes_name(USERS))))


def test_an_undeclared_column_is_named_with_the_first_place_it_was_seen_at(platform: Platform) -> None:
    take(platform, USERS, [user(0, "a", "c", 1), user(1, "b", "c", 2, nick="x"), user(2, "c", "c", 3, nick="y")])
    fold(platform, USERS)
    take(platform, USERS, [user(3, "b", "u", 4, nick="z", hat="h")])
    fold(platform, USERS)
    place = f"topic {TOPIC}, partition 0, offset"
    assert told(platform) == {"nick": f"{place} 1", "hat": f"{place} 3"}
    assert told(platform, with_columns(named("nick"), named("hat"))) == {}


def test_the_check_warns_and_blocks_nothing(platform: Platform) -> None:
    take(platform, USERS, [user(0, "a", "c", 1, nick="x")])
    fold(platform, USERS)
    silver = platform.open_catalog().load_table(schema.changes_name(USERS))
    result = checks.every_column_is_declared(USERS, silver)
    assert (result.passed, result.severity.value) == (False, "WARN")
    assert "nick" in result.metadata
    [spec] = [s for s in checks.specs(USERS, schema.changes_name(USERS)) if s.name == checks.DECLARED]
    assert not spec.blocking


def test_what_is_no_name_is_not_told_and_names_are_bounded(platform: Platform) -> None:
    strange = {"a@example.com": 1, "__deleted": "false", "x" * 64: 1}
    made_up = {f"made_up_{n}": 1 for n in range(2 * MOST)}
    take(platform, USERS, [user(0, "a", "c", 1, **strange), user(1, "b", "c", 2, **made_up)])
    fold(platform, USERS)
    assert len(told(platform)) == MOST
    assert not strange.keys() & told(platform).keys()


def test_where_every_column_is_declared_nothing_is_written_about_it(platform: Platform) -> None:
    take(platform, USERS, [user(0, "a", "c", 1), user(1, "a", "d", 2)])
    fold(platform, USERS)
    assert UNDECLARED not in marks(platform.open_catalog().load_table(schema.changes_name(USERS)))


def test_a_column_is_found_under_every_name_that_it_had(platform: Platform) -> None:
    table = with_columns(named("full_name", renamed_from=("title", "name")))
    take(platform, table, [user(0, "a", "c", 1, name="first"), user(1, "b", "c", 2), user(2, "c", "c", 3)])
    messages = [
        _without_name(user(3, "b", "u", 4, title="second")),
        _without_name(user(4, "c", "u", 5, full_name="third")),
    ]
    take(platform, table, messages)
    fold(platform, table)
    assert sorted(row["full_name"] for row in current(platform, table)) == ["first", "second", "third"]


def test_a_name_that_another_column_took_over_is_not_mixed_up(platform: Platform) -> None:
    take(platform, USERS, [user(0, "a", "c", 1, name="old")])
    fold(platform, USERS)
    table = with_columns(named("full_name", renamed_from="name"), named("name"))
    take(platform, table, [user(1, "b", "c", 2, full_name=None, name="short"), user(2, "c", "c", 3, name="late")])
    fold(platform, table)
    held = sorted((row["id"][-1], row["full_name"], row["name"]) for row in current(platform, table))
    assert held == [("a", "old", None), ("b", None, "short"), ("c", "late", None)]


@pytest.mark.parametrize(("default", "expected"), [("nobody", "nobody"), (None, None)])
def test_a_default_is_for_rows_whose_message_lacks_the_column_and_not_for_nulls(
    platform: Platform, default: str | None, expected: str | None
) -> None:
    table = with_columns(named("name"), named("boss", default=default))
    take(platform, table, [user(0, "a", "c", 1), user(1, "b", "c", 2, boss=None), user(2, "c", "c", 3, boss="me")])
    fold(platform, table)
    assert [row["boss"] for row in sorted(current(platform, table), key=lambda r: r["id"])] == [expected, None, "me"]


def _without_name(message: Any) -> Any:
    value = json.loads(message.value)
    del value["after"]["name"]
    return message._replace(value=json.dumps(value).encode())


@pytest.mark.parametrize("spec", [bronze_spec, schema.changes, schema.current, schema.files])
def test_no_contract_can_name_a_column_that_a_layer_adds(spec: Callable[[Table], TableSpec]) -> None:
    added = [f.name for f in spec(USERS).schema if f.name not in {c.name for c in USERS.columns}]
    assert added
    for name in added:
        with pytest.raises(ValueError, match=f"column '{name}' of their own; .* renamed_from='{name}'"):
            with_columns(named(name))


def test_a_column_whose_name_a_layer_uses_is_read_under_another(platform: Platform) -> None:
    table = with_columns(named("name"), named("v"), named("error_text", renamed_from="error"))
    take(platform, table, [user(0, "a", "c", 1, v="a version", error="none")])
    fold(platform, table)
    assert [(row["v"], row["error_text"]) for row in current(platform, table)] == [("a version", "none")]
