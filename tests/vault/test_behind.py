"""Readers of the vault that fell behind: compacted parents, expired and rolled back ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lakehouse_assets.engines.iceberg.scan import ancestors
from lakehouse_assets.operations.compaction import Sizes, compact
from lakehouse_assets.operations.expiry import expire
from lakehouse_assets.operations.history import rollback
from tests.vault.conftest import Lake
from tests.vault.test_bank_vault import HISTORY, user


def _compact(lake: Lake, *identifiers: str) -> None:
    done = [d for i in identifiers for d in compact(lake.platform, i, Sizes(least_files=2))]
    assert {d.table for d in done} == set(identifiers)


def test_a_history_that_is_behind_finds_what_was_compacted(lake: Lake, at: Any) -> None:
    lake.change("bank_users", user(1, 1))
    lake.build("s_users", "s_users_history")
    lake.change("bank_users", user(2, 2, "u", email="b@x"))
    lake.build("s_users")
    _compact(lake, "raw_vault.s_users")
    lake.change("bank_users", user(3, 3, "u", email="c@x"))
    lake.build("s_users", "s_users_history")
    assert lake.rows("business_vault.s_users_history", *HISTORY) == [
        ("a@x", False, at(1), at(2)),
        ("b@x", False, at(2), at(3)),
        ("c@x", False, at(3), None),
    ]


def test_compacted_parents_start_no_model(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    models = ("h_users", "s_users", "s_users_history")
    for minute in (1, 2):
        lake.change("bank_users", user(minute, 1, "u", minute=minute))
        lake.build(*models)
    lake.build("user_growth_daily", days=(1, 1))
    _compact(lake, "silver.bank_users_changes", "raw_vault.s_users")
    monkeypatch.setattr("lakehouse_assets.engines.dbt.runner.run", None)
    assert set(lake.build(*models).values()) == {"unchanged"}
    assert lake.stale("user_growth_daily") == []


MODELS = ("h_users", "s_users", "s_users_history")


def _expire(lake: Lake, identifier: str) -> None:
    for _ in range(5):  # the newest five are kept in any case
        list(compact(lake.platform, identifier, Sizes(manifests=1)))
    assert expire(lake.platform, identifier, datetime.now(UTC) + timedelta(days=6)).snapshots


def test_a_vault_whose_parents_expired_misses_nothing(lake: Lake, at: Any) -> None:
    """A rebuild among them: what was made of the rows that it took back goes."""
    lake.change("bank_users", user(1, 1), user(2, 2, "u", email="wrong@x"), user(3, 2, id="gone"))
    lake.build(*MODELS)
    lake.change("bank_users", user(2, 2, "u", email="right@x"), rebuilt=[date(2026, 3, 2)])
    lake.change("bank_users", user(4, 3, "d"))
    _expire(lake, "silver.bank_users_changes")
    lake.build("h_users", "s_users")
    _expire(lake, "raw_vault.s_users")
    lake.build("s_users_history")
    assert lake.rows("business_vault.s_users_history", *HISTORY) == [
        ("a@x", False, at(1), at(2)),
        ("right@x", False, at(2), at(3)),
        (None, True, at(3), None),
    ]


def test_a_vault_whose_parent_was_rolled_back_is_made_anew(lake: Lake, at: Any) -> None:
    lake.change("bank_users", user(1, 1), user(2, 2, "u", email="b@x"))
    lake.build(*MODELS)
    lake.change("bank_users", user(2, 2, "u", email="wrong@x"), rebuilt=[date(2026, 3, 1), date(2026, 3, 2)])
    lake.change("bank_users", user(3, 3, id="u2"))
    lake.build(*MODELS)
    lake.build("user_growth_daily", days=(1, 3))
    table = lake.catalog.load_table("silver.bank_users_changes")
    rollback(lake.platform, "silver.bank_users_changes", list(ancestors(table))[2].snapshot_id)
    assert lake.build(*MODELS) == dict.fromkeys(MODELS, "built")
    assert lake.rows("business_vault.s_users_history", *HISTORY) == [
        ("a@x", False, at(1), at(2)),
        ("b@x", False, at(2), None),
    ]
    assert lake.stale("user_growth_daily") == [1, 2, 3]
    assert set(lake.build(*MODELS).values()) == {"unchanged"}
