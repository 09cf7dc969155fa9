"""Silver tables as Dagster assets: changes and events by day, current tables and files without days.

A run without a partition folds what is new and logs a materialization per touched day; a run with days rebuilds those
days from bronze. Where it stops: folding is the `fold_*` modules'.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

import dagster as dg

from lakehouse_assets.asset_facts import asset_key, column_lineage, column_schema, earlier_result, preview, size
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.tables import TableSpec
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.partitions import DAILY
from lakehouse_assets.silver import checks, schema
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.fold_events import fold_events
from lakehouse_assets.silver.fold_files import fold_files
from lakehouse_assets.silver.folding import Folded
from lakehouse_assets.silver.rebuild import rebuild_changes, rebuild_events
from lakehouse_assets.silver.undeclared import undeclared

Event = dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.AssetMaterialization
Fold = Callable[[Platform, Table], Folded]
Rebuild = Callable[[Platform, Table, date, date], Folded]


def silver_assets(platform: Platform, table: Table) -> list[dg.AssetsDefinition]:
    """A CDC table has changes and a current table; events and files have one table."""
    match table.source.kind:
        case "cdc":
            changes = _by_days(platform, table, schema.changes(table), fold_changes, rebuild_changes)
            return [changes, _current(platform, table)]
        case "events":
            return [_by_days(platform, table, schema.events(table), fold_events, rebuild_events)]
        case "files":
            return [_files(platform, table)]


def table_rule_checks(platform: Platform, tables: Iterable[Table]) -> dg.AssetChecksDefinition | None:
    """One check definition for the rules of a source that need more than one row; None where it has none."""
    listed = list(tables)
    specs = checks.table_rule_specs(listed)
    if not specs:
        return None

    @dg.multi_asset_check(name=f"check_{listed[0].source.name}", specs=specs, can_subset=True)
    def check_rules(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        with platform.open_duckdb() as conn:
            for table in listed:
                for column in table.live_columns:
                    for rule in column.table_rules:
                        key = dg.AssetCheckKey(asset_key(schema.current_name(table)), rule.claim(column.name))
                        if key in context.selected_asset_check_keys:
                            earlier = earlier_result(context.instance, key)
                            catalog = platform.open_catalog()
                            yield checks.table_rule_holds(conn, catalog, table, column.name, rule, earlier)

    return check_rules


def _by_days(platform: Platform, table: Table, spec: TableSpec, fold: Fold, rebuild: Rebuild) -> dg.AssetsDefinition:
    @dg.multi_asset(**_definition(table, spec, f"bronze.{table.id}", by_day=True))
    def fold_or_rebuild(context: dg.AssetExecutionContext) -> Iterator[Event]:
        days = _days(context)
        folded = rebuild(platform, table, *days) if days else fold(platform, table)
        yield from _by_day(context, platform, table, spec, folded)

    return fold_or_rebuild


def _current(platform: Platform, table: Table) -> dg.AssetsDefinition:
    spec = schema.current(table)

    @dg.multi_asset(**_definition(table, spec, schema.changes_name(table), by_day=False))
    def fold_current_rows(context: dg.AssetExecutionContext) -> Iterator[Event]:
        keys = fold_current(platform, table)
        yield from _described(context, platform, table, spec, {"keys_changed": keys, "unchanged": keys == 0})

    return fold_current_rows


def _files(platform: Platform, table: Table) -> dg.AssetsDefinition:
    spec = schema.files(table)

    @dg.multi_asset(**_definition(table, spec, f"bronze.{table.id}", by_day=False))
    def fold_file_rows(context: dg.AssetExecutionContext) -> Iterator[Event]:
        folded = fold_files(platform, table)
        yield from _described(context, platform, table, spec, _counts(folded))

    return fold_file_rows


def _definition(table: Table, spec: TableSpec, upstream: str, by_day: bool) -> dict[str, Any]:
    lineage = column_lineage({c.name: [(upstream, _upstream_column(upstream, c.name))] for c in table.columns})
    return {
        "name": f"refine_{spec.identifier.split('.')[1]}",
        "specs": [
            dg.AssetSpec(
                asset_key(spec.identifier),
                deps=[asset_key(upstream)],
                group_name="silver",
                description=spec.description,
                owners=[table.owned_by],
                kinds={"iceberg", "duckdb"},
                tags={"layer": "silver", "source": table.source.name},
                metadata={
                    "dagster/column_schema": column_schema(spec.schema),
                    "dagster/column_lineage": lineage,
                },
                partitions_def=DAILY if by_day else None,
            )
        ],
        "check_specs": checks.specs(table, spec.identifier),
        "can_subset": True,
        "backfill_policy": dg.BackfillPolicy.single_run() if by_day else None,
        "pool": f"silver_{spec.identifier.split('.')[1]}",
    }


def _upstream_column(upstream: str, column: str) -> str:
    return "data" if upstream.startswith("bronze.") else column


def _days(context: dg.AssetExecutionContext) -> tuple[date, date] | None:
    if not context.has_partition_key and not context.has_partition_key_range:
        return None
    span = context.partition_key_range
    return date.fromisoformat(span.start), date.fromisoformat(span.end)


def _counts(folded: Folded) -> dict[str, Any]:
    account = folded.account
    return {
        "rows_in": account.taken_in,
        "rows_out": account.out,
        "rows_rejected": account.rejected,
        "rows_superseded": account.superseded,
        "unchanged": folded == Folded(),
    }


def _by_day(
    context: dg.AssetExecutionContext, platform: Platform, table: Table, spec: TableSpec, folded: Folded
) -> Iterator[Event]:
    """The result, and without a partition one more materialization per day that the fold touched."""
    if _days(context) is None:
        for day in sorted(folded.days):
            yield dg.AssetMaterialization(asset_key(spec.identifier), partition=day)
    yield from _described(context, platform, table, spec, {**_counts(folded), "days": sorted(folded.days)})


def _described(
    context: dg.AssetExecutionContext, platform: Platform, table: Table, spec: TableSpec, counts: dict[str, Any]
) -> Iterator[Event]:
    handle = platform.open_catalog().load_table(spec.identifier)
    masked = {c.name for c in table.columns if c.pii}
    with platform.open_duckdb() as conn:
        shown: dict[str, Any] = {} if counts["unchanged"] else {"preview": preview(conn, handle, masked)}
        if unknown := undeclared(table, marks(handle)):
            shown["undeclared_columns"] = unknown
        yield dg.MaterializeResult(asset_key=asset_key(spec.identifier), metadata={**size(handle), **counts, **shown})
        selected = {key.name: key for key in context.selected_asset_check_keys}
        for result in _results(context, conn, platform, table, spec, handle, selected, counts["unchanged"]):
            if result.check_name in selected:
                yield result


def _results(
    context: dg.AssetExecutionContext,
    conn: Any,
    platform: Platform,
    table: Table,
    spec: TableSpec,
    handle: Any,
    selected: dict[str, dg.AssetCheckKey],
    unchanged: bool,
) -> Iterator[dg.AssetCheckResult]:
    if table.source.kind != "cdc" or spec.identifier == schema.changes_name(table):
        yield checks.accounted(handle)
        yield checks.every_column_is_declared(table, handle)
    if spec.identifier == schema.changes_name(table):
        return
    yield from checks.rules_hold(table, handle, platform.open_catalog())
    if table.source.kind == "cdc":
        yield checks.source_is_equalled(platform.open_catalog(), table)
    if checks.KEY_IS_UNIQUE in selected:
        earlier = earlier_result(context.instance, selected[checks.KEY_IS_UNIQUE])
        yield earlier if unchanged and earlier else checks.key_is_unique(conn, table, handle, earlier)
