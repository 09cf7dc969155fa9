"""The vault and the marts as Dagster assets: one set without days, one by day. dbt runs in this process.

A model whose parents have not moved is reported as unchanged, because a skipped output would skip what is downstream.
Where it stops: making the assets opens no connection and reads only the synced manifest.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import duckdb
from pyiceberg.catalog import Catalog

from lakehouse_assets.asset_facts import earlier_result
from lakehouse_assets.engines.dbt.invocation import DayRange
from lakehouse_assets.engines.dbt.project import Model, Project
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.partitions import DAILY, FIRST_DAY
from lakehouse_assets.vault import lineage, manifest
from lakehouse_assets.vault.build import Built, Tested, build
from lakehouse_assets.vault.days import stale_days
from lakehouse_assets.vault.metadata import describe
from lakehouse_assets.vault.translator import VaultTranslator

TEST_ID = "dagster_dbt/unique_id"
THROUGH = "snapshot_sequence"


def vault_assets(platform: Platform) -> list[dg.AssetsDefinition]:
    """All models as assets with their tests as checks. Raises NotSynced where `lakehouse sync` has not run."""
    project = manifest.project()
    by_day = [m for m in project.models.values() if m.strategy == "days"]
    others = [m for m in project.models.values() if m.strategy != "days"]
    return [_assets(platform, project, "vault", others, None), _assets(platform, project, "daily_marts", by_day, DAILY)]


def _assets(
    platform: Platform,
    project: Project,
    name: str,
    models: Sequence[Model],
    days: dg.DailyPartitionsDefinition | None,
) -> dg.AssetsDefinition:
    # Dagster compares the annotation of `context` with the class itself: this module has no `annotations` import.
    # `@dbt_assets` would make the same, but selects with dbt's own graph, whose import takes most of a second.
    specs, check_specs = _specs(project, models)

    @dg.multi_asset(
        name=name,
        specs=[spec.replace_attributes(partitions_def=days) for spec in specs],
        check_specs=check_specs,
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run() if days is not None else None,
        pool=name,
    )
    def build_models(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        wanted = [m for m in models if _key(m) in context.selected_asset_keys]
        day_range = _days(context, platform, project, wanted) if days is not None else None
        checks = {c.metadata[TEST_ID]: c for c in context.assets_def.check_specs if c.metadata}
        chosen = {test for test, spec in checks.items() if spec.key in context.selected_asset_check_keys}
        earlier = {test: earlier_result(context.instance, checks[test].key) for test in chosen}
        # A test that failed is run again although its model has not moved: what is below must not pass it by.
        again = {m.identifier for m in wanted if any(_has_failed(earlier.get(test)) for test in m.tests)}
        if _has_days(context):
            again |= {m.identifier for m in wanted}  # whoever names days wants them built anew
        tested = {m.identifier: mark for m in wanted if (mark := _passed_through(m, earlier)) is not None}
        catalog = platform.open_catalog()
        with platform.open_duckdb() as conn:
            for result in build(platform, project, wanted, day_range, chosen.__contains__, again, tested):
                match result:
                    case Built():
                        yield _materialized(conn, catalog, project, result)
                        if result.state == "unchanged":
                            yield from (r for test in result.model.tests if (r := earlier.get(test)) is not None)
                    case Tested():
                        yield _checked(checks[result.unique_id], result)

    return build_models


def _specs(project: Project, models: Sequence[Model]) -> tuple[list[dg.AssetSpec], list[dg.AssetCheckSpec]]:
    """As dagster-dbt derives them; a test over several models is a check of one of them."""
    translator = VaultTranslator()
    specs, checks = [], []
    for model in models:
        spec = translator.get_asset_spec(project.manifest, model.unique_id, None)
        tests = [t for t in project.manifest["child_map"][model.unique_id] if t in project.tests]
        found = (translator.get_asset_check_spec(spec, project.manifest, test, None) for test in tests)
        specs.append(spec)
        checks += [check for check in found if check is not None]
    return specs, checks


def _key(model: Model) -> dg.AssetKey:
    return dg.AssetKey(model.identifier.split("."))


def _materialized(
    conn: duckdb.DuckDBPyConnection, catalog: Catalog, project: Project, built: Built
) -> dg.MaterializeResult[Any]:
    metadata: dict[str, Any] = {"unchanged": built.state == "unchanged", "seconds": built.seconds}
    if built.waiting:
        metadata["waits_for"] = list(built.waiting)
    table = load(catalog, built.model.identifier)
    if table is not None:
        traced = lineage.read(project.folder / manifest.LINEAGE)
        metadata |= describe(conn, project, traced, built.model.identifier, table)
    return dg.MaterializeResult(_key(built.model), metadata=metadata)


def _has_failed(result: dg.AssetCheckResult | None) -> bool:
    return result is not None and not result.passed and result.severity == dg.AssetCheckSeverity.ERROR


def _passed_through(model: Model, earlier: Mapping[str, dg.AssetCheckResult | None]) -> int | None:
    """The snapshot on which all of the model's tests had passed; None where one has not, or has yet to run."""
    results = [earlier.get(test) for test in model.tests]
    passed = [r.metadata[THROUGH].value for r in results if r is not None and r.passed and THROUGH in r.metadata]
    marks = [mark for mark in passed if isinstance(mark, int)]
    return min(marks) if marks and len(marks) == len(results) else None


def _checked(spec: dg.AssetCheckSpec, tested: Tested) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=tested.outcome == "pass",
        asset_key=spec.asset_key,
        check_name=spec.name,
        severity=dg.AssetCheckSeverity.WARN if tested.outcome == "warn" else dg.AssetCheckSeverity.ERROR,
        metadata={"failing_rows": tested.failures, "message": tested.message, THROUGH: tested.through},
    )


def _has_days(context: dg.AssetExecutionContext) -> bool:
    return bool(context.has_partition_key or context.has_partition_key_range)


def _days(
    context: dg.AssetExecutionContext, platform: Platform, project: Project, wanted: Sequence[Model]
) -> DayRange | None:
    """The run's days; without a partition, all from the first to the last that some mart has yet to build."""
    if _has_days(context):
        span = context.partition_key_range
        return DayRange(date.fromisoformat(span.start), date.fromisoformat(span.end), FIRST_DAY)
    stale = {day for m in wanted for day in stale_days(platform, m.name, project)}
    return DayRange(min(stale), max(stale), FIRST_DAY) if stale else None
