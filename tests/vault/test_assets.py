"""The vault and marts as Dagster runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from lakehouse_assets.partitions import DAILY
from lakehouse_assets.vault import manifest
from lakehouse_assets.vault.assets import vault_assets

EVENTS = ("e1", 1, "purchase", "/a", "web", 1), ("e2", 2, "click", "/a", "web", 2)
CHANGE = {"position": 1, "day": 1, "op": "c", "id": "u1", "email": "secret@example.org", "name": "Ada"}


@pytest.fixture
def materialize(lake: Any) -> Callable[..., dg.ExecuteInProcessResult]:
    definitions = vault_assets(lake.platform)
    instance = dg.DagsterInstance.ephemeral()

    def run(selection: str, first: str | None = None, last: str | None = None, strict: bool = True) -> Any:
        chosen = dg.AssetSelection.from_string(selection)
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        job = dg.define_asset_job("run", chosen, partitions_def=DAILY if first else None)
        resolved = dg.Definitions(assets=definitions, jobs=[job]).resolve_job_def("run")
        return resolved.execute_in_process(instance=instance, tags=tags if first else {}, raise_on_error=strict)

    return run


def metadata(result: dg.ExecuteInProcessResult, key: str) -> dict[str, Any]:
    found = [e.materialization for e in result.get_asset_materialization_events()]
    return next({k: v.value for k, v in m.metadata.items()} for m in found if m.asset_key.to_user_string() == key)


def test_every_model_is_an_asset_with_owner_group_and_described_columns(lake):
    specs = [spec for assets in vault_assets(lake.platform) for spec in assets.specs]
    assert {spec.key.to_user_string() for spec in specs} == {
        model.identifier.replace(".", "/") for model in manifest.project().models.values()
    }
    for spec in specs:
        assert spec.owners, spec.key
        assert spec.group_name == spec.key.path[0]
        assert spec.description, spec.key
        assert spec.kinds == {"dbt", "iceberg"}
        columns = spec.metadata["dagster/column_schema"].columns
        assert columns, spec.key
        assert all(column.description for column in columns), spec.key


def test_a_run_shows_size_lineage_checks_and_a_preview_without_personal_data(lake, materialize):
    lake.change("bank_users", CHANGE)
    result = materialize("key:raw_vault/h_users or key:raw_vault/s_users")
    shown = metadata(result, "raw_vault/s_users")
    assert shown["dagster/row_count"] == 1
    assert shown["snapshot_id"] == str(lake.snapshot("raw_vault.s_users"))
    assert shown["files"] == 1
    assert shown["bytes"] > 0
    assert "secret@example.org" not in shown["preview"]
    assert "bank.public.users" in shown["preview"]
    email = shown["dagster/column_lineage"].deps_by_column["email"]
    assert [(dep.asset_key.to_user_string(), dep.column_name) for dep in email] == [
        ("silver/bank_users_changes", "email")
    ]
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks == {
        "h_users_hash_key_is_unique": True,
        "h_users_hash_key_is_present": True,
        "h_users_business_key_is_unique": True,
        "s_users_keys_are_unique": True,
        "s_users_refers_to_h_users": True,
    }


def test_an_unchanged_asset_says_so_with_its_size(lake, materialize):
    lake.change("bank_users", CHANGE)
    assert metadata(materialize("key:raw_vault/h_users"), "raw_vault/h_users")["unchanged"] is False
    again = metadata(materialize("key:raw_vault/h_users"), "raw_vault/h_users")
    assert again["unchanged"] is True
    assert again["dagster/row_count"] == 1


def test_a_range_of_days_is_one_run(lake, materialize):
    lake.events(*EVENTS)
    result = materialize("key:marts/daily_active_users", "2026-03-01", "2026-03-02")
    assert result.success
    partitions = {e.partition for e in result.get_asset_materialization_events()}
    assert partitions == {"2026-03-01", "2026-03-02"}
    assert len(lake.rows("marts.daily_active_users")) == 2


def test_a_run_with_days_builds_them_anew_although_nothing_moved(lake, materialize):
    lake.events(*EVENTS)
    materialize("key:marts/daily_active_users", "2026-03-01", "2026-03-02")
    moments = lake.rows("marts.daily_active_users", "event_date", "updated_at")
    again = materialize("key:marts/daily_active_users", "2026-03-02", "2026-03-02")
    assert metadata(again, "marts/daily_active_users")["unchanged"] is False
    (first, second), rebuilt = moments, lake.rows("marts.daily_active_users", "event_date", "updated_at")
    assert rebuilt[0] == first
    assert rebuilt[1] > second
    assert metadata(materialize("key:marts/daily_active_users"), "marts/daily_active_users")["unchanged"] is True


def test_a_run_without_days_builds_those_that_are_stale(lake, materialize):
    lake.events(*EVENTS)
    assert materialize("key:marts/daily_active_users").success
    assert len(lake.rows("marts.daily_active_users")) == 2
    assert lake.stale("daily_active_users") == []


def failing(result: dg.ExecuteInProcessResult) -> set[str]:
    return {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}


def test_the_tests_of_a_mart_by_day_read_what_was_touched_since_they_passed(lake, materialize):
    lake.events(*EVENTS)
    mart = "key:marts/daily_active_users"
    assert failing(materialize(mart, strict=False)) == set()
    lake.repeat("marts.daily_active_users", days=[2])  # as a run that stopped before its tests leaves it
    lake.events(("e9", 9, "click", "/", "web", 3))

    assert failing(materialize(mart, strict=False)) == {"daily_active_users_day_is_unique"}


def test_a_test_that_failed_reads_all_days_until_it_passes(lake, materialize):
    lake.events(*EVENTS)
    mart = "key:marts/daily_active_users"
    materialize(mart, strict=False)
    lake.repeat("marts.daily_active_users", days=[1])
    lake.events(("e9", 9, "click", "/", "web", 3))
    assert failing(materialize(mart, strict=False)) == {"daily_active_users_day_is_unique"}
    lake.events(("e10", 9, "click", "/", "web", 4))

    assert failing(materialize(mart, strict=False)) == {"daily_active_users_day_is_unique"}
    assert failing(materialize(mart, "2026-03-01", "2026-03-02")) == set()


def test_a_model_that_fails_fails_the_run_and_names_itself(lake, materialize):
    lake.change("bank_users", CHANGE)
    lake.catalog.create_namespace("raw_vault")
    lake.catalog.create_table("raw_vault.h_users", someone_elses_schema())
    with pytest.raises(Exception, match="h_users"):
        materialize("key:raw_vault/h_users")


def someone_elses_schema() -> Any:
    """A table that somebody else made: its key is a number."""
    return pa.schema([pa.field("h_user_hk", pa.int64())])
