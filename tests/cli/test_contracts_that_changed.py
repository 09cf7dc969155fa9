"""A contract that cannot apply, from the command line: its table stops on one line, and no other does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.bank import users
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.contracts.types import integer
from lakehouse_assets.profiles import active
from lakehouse_assets.sources.writer import append
from tests.cli.conftest import Lakehouse
from tests.silver.told import session, user

SELECTION = "key:bronze/bank_users+2 or key:bronze/shop_user_sessions+2"


@pytest.fixture
def declared() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    registry.tables.cache_clear()


def test_a_type_that_cannot_apply_stops_its_table_alone_on_one_line(
    lakehouse: Lakehouse, home: Path, declared: pytest.MonkeyPatch
) -> None:
    append(home / "events", [user(0, "a", "c", 1), session(0, 1, 0)])
    assert lakehouse("materialize", SELECTION).exit_code == 0
    before = _metadata("silver.bank_users_changes")

    declared.setattr(users, "TABLE", _with_notes_as_integer(users.TABLE))
    registry.tables.cache_clear()
    append(home / "events", [user(0, "b", "c", 2), session(0, 2, 0)])
    result = lakehouse("materialize", SELECTION)

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.stderr
    assert "silver.bank_users_changes: column notes holds string, declared is int; " in result.stderr
    assert "retire the column and add another" in result.stderr
    assert _metadata("silver.bank_users_changes") == before
    catalog = active.platform().open_catalog()
    assert catalog.load_table("silver.shop_user_sessions").scan().to_arrow().num_rows == 2
    assert catalog.load_table("bronze.bank_users").scan().to_arrow().num_rows == 2


def _with_notes_as_integer(table: Table) -> Table:
    return replace(table, columns=tuple(replace(c, type=integer) if c.name == "notes" else c for c in table.columns))


def _metadata(identifier: str) -> str:
    return active.platform().open_catalog().load_table(identifier).metadata_location
