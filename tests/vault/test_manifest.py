"""What `lakehouse sync` makes of the dbt project."""

from __future__ import annotations

from pathlib import Path

import yaml

from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.vault import lineage, manifest
from lakehouse_assets.vault.sources import render


def test_the_committed_source_is_what_the_contracts_say():
    assert (manifest.PROJECT_DIR / "models" / "silver.yml").read_text("utf-8") == render(tables())


def test_every_column_of_a_mart_is_described_and_has_an_origin_or_is_computed():
    project = manifest.project()
    traced = lineage.read(manifest.PROJECT_DIR / manifest.LINEAGE)
    computed = set()
    for identifier, columns in traced.items():
        model = project.model(identifier)
        assert all(model.columns.get(name) for name in columns), identifier
        if identifier.startswith("marts."):
            described = project.manifest["nodes"][model.unique_id]["columns"]
            assert list(described) == list(columns), identifier
            computed |= {f"{model.name}.{name}" for name, origins in columns.items() if not origins}
    assert computed == {
        *(
            f"{m.name}.updated_at"
            for m in project.models.values()
            if m.strategy == "days" and "updated_at" in m.columns
        ),
        "events_per_source_daily.event_count",
        "purchases_per_page_daily.purchase_count",
        "daily_sales_summary.orders",
        "customer_lifetime_value.orders",
        "monthly_sales.orders",
    }


def test_personal_data_is_followed_into_the_marts():
    traced = lineage.read(manifest.PROJECT_DIR / manifest.LINEAGE)
    known = manifest.project().manifest
    assert lineage.personal(traced, known, "marts.dim_customers") == {"full_name", "email"}
    assert lineage.personal(traced, known, "marts.account_balance_latest") == set()
    assert lineage.personal(traced, known, "raw_vault.s_shop_user_sessions") == {"hashdiff", "ip_address"}


def test_every_published_mart_says_how_clickhouse_keeps_it():
    for model in manifest.project().models.values():
        if model.identifier.startswith("marts.") and not model.name.startswith("int_"):
            meta = manifest.project().manifest["nodes"][model.unique_id]["config"]["meta"]["clickhouse"]
            assert {"engine", "order_by"} <= set(meta), model.name


def test_both_profiles_have_a_target():
    profiles = yaml.safe_load((manifest.PROJECT_DIR / "profiles.yml").read_text("utf-8"))
    outputs = profiles["lakehouse"]["outputs"]
    assert {name: output["type"] for name, output in outputs.items()} == {"embedded": "duckdb", "stack": "trino"}


def test_models_are_ordered_after_their_parents():
    seen: set[str] = set()
    models = manifest.project().models
    for identifier, model in models.items():
        assert {p for p in model.parents if p in models} <= seen
        seen.add(identifier)


def test_no_model_has_a_file_of_its_own_outside_its_layer():
    for model in manifest.project().models.values():
        node = manifest.project().manifest["nodes"][model.unique_id]
        assert Path(node["original_file_path"]).parts[1] == model.identifier.split(".")[0]
