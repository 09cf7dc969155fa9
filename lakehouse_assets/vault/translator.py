"""How dbt's models look as Dagster assets: kinds and tags beside what dagster-dbt derives (key, group, owners).

Where it stops: descriptions, owners and groups are written in the dbt project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject

from lakehouse_assets.engines.dbt.project import identifier_of


class VaultTranslator(DagsterDbtTranslator):
    """Every model is an Iceberg table `layer.model`, asset `layer/model`."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        return spec.replace_attributes(kinds={"dbt", "iceberg"})

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """The table's name is Iceberg's, not the one in dbt's in-memory database."""
        return {**super().get_metadata(dbt_resource_props), "dagster/table_name": identifier_of(dbt_resource_props)}

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        tags = {"layer": dbt_resource_props["schema"]}
        strategy = dbt_resource_props["config"].get("strategy")
        return tags | ({"strategy": strategy} if strategy else {})

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["description"])
