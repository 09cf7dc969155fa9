"""Gold tables as Dagster assets: each mart that names a ClickHouse engine is published under the same name.

A day's run publishes whatever the mart's newest snapshot changed; a mart that gold already shows costs one look.
Where it stops: loading, comparing and swapping is `engines/clickhouse/publish.py`'s.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from lakehouse_assets.asset_facts import asset_key, column_lineage, size
from lakehouse_assets.engines.clickhouse.ddl import GoldTable, gold_table
from lakehouse_assets.engines.clickhouse.publish import Mismatch, Published, is_published, publish
from lakehouse_assets.engines.dbt.project import Model, Project
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.partitions import DAILY
from lakehouse_assets.vault import manifest

EQUALS_MART = "gold_equals_mart"
DEFAULT_OWNER = "team:data-platform"

Event = dg.MaterializeResult[Any] | dg.AssetCheckResult


def gold_assets(platform: Platform) -> list[dg.AssetsDefinition]:
    """One asset per mart with `meta.clickhouse`. Raises NotSynced where `lakehouse sync` has not run."""
    project = manifest.project()
    return [_gold_asset(platform, m, target) for m, target in gold_tables(project)]


def gold_tables(project: Project) -> Iterator[tuple[Model, GoldTable]]:
    """The marts that are published, with what ClickHouse is told of them."""
    for model in project.models.values():
        meta = _meta(project, model).get("clickhouse")
        if meta is not None:
            yield model, gold_table(model.name, meta)


def unpublished(platform: Platform) -> Iterator[Model]:
    """The marts whose present version gold does not hold; one that does not exist yet is none of them."""
    for model, target in gold_tables(manifest.project()):
        mart = load(platform.open_catalog(), model.identifier)
        if mart is not None and not is_published(platform.open_clickhouse(), mart, target):
            yield model


def _gold_asset(platform: Platform, model: Model, target: GoldTable) -> dg.AssetsDefinition:
    by_day = model.strategy == "days"
    key = dg.AssetKey(["gold", model.name])

    @dg.multi_asset(
        name=f"publish_{model.name}",
        specs=[
            dg.AssetSpec(
                key,
                deps=[asset_key(model.identifier)],
                group_name="gold",
                description=model.description,
                owners=[DEFAULT_OWNER],
                kinds={"clickhouse"},
                tags={"layer": "gold"},
                metadata={
                    "clickhouse/engine": target.engine,
                    "clickhouse/order_by": ", ".join(target.order_by),
                    "dagster/column_lineage": column_lineage({c: [(model.identifier, c)] for c in model.columns}),
                },
                partitions_def=DAILY if by_day else None,
            )
        ],
        check_specs=[dg.AssetCheckSpec(EQUALS_MART, asset=key, description="Same rows and same sums as the mart.")],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run() if by_day else None,
        pool=f"gold_{model.name}",
    )
    def publish_mart(context: dg.AssetExecutionContext) -> Iterator[Event]:
        mart = load(platform.open_catalog(), model.identifier)
        if mart is None:
            yield dg.MaterializeResult(asset_key=key, metadata={"waits_for": [model.identifier]})
            return
        client = platform.open_clickhouse()
        try:
            done = publish(client, mart, target, home=platform.home, memory_limit=platform.memory_limit)
        except Mismatch as error:
            yield dg.AssetCheckResult(
                passed=False, asset_key=key, check_name=EQUALS_MART, metadata={"difference": str(error)}
            )
            raise dg.Failure(str(error), allow_retries=False) from error
        rows = int(client.query(f"SELECT count() FROM `gold`.`{target.name}`").result_rows[0][0])
        yield dg.MaterializeResult(asset_key=key, metadata=_facts(done, rows))
        if context.selected_asset_check_keys:
            held = size(mart)["dagster/row_count"]
            yield dg.AssetCheckResult(
                passed=rows == held,
                asset_key=key,
                check_name=EQUALS_MART,
                metadata={"rows": rows, "rows_in_the_mart": held, "compared_sums": done.skipped is None},
            )

    return publish_mart


def _facts(done: Published, rows: int) -> dict[str, Any]:
    return {
        "dagster/row_count": rows,
        "rows_loaded": done.rows,
        "months": list(done.months) or "all",
        "how": done.how,
        "snapshot_id": str(done.snapshot_id),
        "unchanged": done.skipped is not None,
    }


def _meta(project: Project, model: Model) -> Mapping[str, Any]:
    node = project.manifest["nodes"][model.unique_id]
    return {**node.get("meta", {}), **node["config"].get("meta", {})}
