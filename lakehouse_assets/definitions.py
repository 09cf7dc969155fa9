"""The lakehouse, in the order in which data flows through it. It only composes."""

from __future__ import annotations

import dagster as dg

from lakehouse_assets.bronze.assets import bronze_asset, source_spec
from lakehouse_assets.contracts.registry import sources, tables
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.gold.assets import gold_assets
from lakehouse_assets.operations.automation import increment_job
from lakehouse_assets.operations.backup_job import backup_definitions
from lakehouse_assets.operations.freshness import fresh_checks
from lakehouse_assets.operations.preflight import reachable_checks
from lakehouse_assets.operations.sensors import source_sensors
from lakehouse_assets.operations.upkeep import maintenance_definitions
from lakehouse_assets.profiles.active import platform as active_platform
from lakehouse_assets.silver.assets import silver_assets, table_rule_checks
from lakehouse_assets.vault.assets import vault_assets


@dg.definitions
def lakehouse() -> dg.Definitions:
    """The code location, on the profile that the environment names."""
    return build(active_platform())


def build(platform: Platform) -> dg.Definitions:
    """Everything over one platform; opens nothing."""
    rules = [table_rule_checks(platform, [t for t in tables() if t.source is s]) for s in sources()]
    tables_and_checks = dg.Definitions(
        assets=[
            *(source_spec(t) for t in tables()),
            *(bronze_asset(platform, t) for t in tables()),
            *(asset for t in tables() for asset in silver_assets(platform, t)),
            *vault_assets(platform),
            *gold_assets(platform),
        ],
        asset_checks=[reachable_checks(platform), fresh_checks(platform), *(r for r in rules if r is not None)],
        executor=dg.in_process_executor,
    )
    increment = increment_job(platform, tables_and_checks)
    return dg.Definitions.merge(
        tables_and_checks,
        dg.Definitions(jobs=[increment], sensors=source_sensors(platform, increment)),
        maintenance_definitions(platform, tables_and_checks),
        *([backup_definitions(platform)] if platform.name == "embedded" else []),
    )
