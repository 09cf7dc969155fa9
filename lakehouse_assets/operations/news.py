"""Which assets of a selection have anything to do, so that an increment runs no others.

An asset runs when its input moved, when something above it runs, or when something below it does: its blocking checks
must be told again before what depends on them.
Where it stops: it reads metadata; which days of a mart run is `materialize`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

import dagster as dg

from lakehouse_assets.asset_facts import asset_key
from lakehouse_assets.bronze import land, land_files
from lakehouse_assets.bronze.schema import spec as bronze_spec
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.dbt.plan import plan
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.gold.assets import unpublished
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.bronze_slice import is_consumed, watermark
from lakehouse_assets.silver.fold_current import is_folded
from lakehouse_assets.vault import manifest
from lakehouse_assets.vault.days import daily_marts, looking_at, stale_days


def with_news(definitions: dg.Definitions, platform: Platform, selected: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
    """Those of the selected assets that an increment has to run; none where nothing moved anywhere."""
    graph = definitions.resolve_asset_graph()
    moved = {key for key in _moved(platform) if key in selected}
    below = _reached(moved, lambda k: graph.get(k).child_keys)
    return _reached(below & set(selected), lambda k: graph.get(k).parent_keys) & set(selected)


def _reached(
    start: Iterable[dg.AssetKey], neighbours: Callable[[dg.AssetKey], Iterable[dg.AssetKey]]
) -> set[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    waiting = list(start)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += neighbours(key)
    return found


def _moved(platform: Platform) -> Iterator[dg.AssetKey]:
    for table in tables():
        yield from _moved_tables(platform, table)
    yield from _moved_models(platform)
    for model in unpublished(platform):
        yield dg.AssetKey(["gold", model.name])


def _moved_tables(platform: Platform, table: Table) -> Iterator[dg.AssetKey]:
    if _may_land(platform, table):
        yield asset_key(bronze_spec(table).identifier)
    is_cdc = table.source.kind == "cdc"
    folded = schema.changes_name(table) if is_cdc else schema.current_name(table)
    catalog = platform.open_catalog()
    bronze, silver = load(catalog, bronze_spec(table).identifier), load(catalog, folded)
    if bronze is not None and (silver is None or not is_consumed(bronze, watermark(silver))):
        yield asset_key(folded)
    if is_cdc and not is_folded(platform, table):
        yield asset_key(schema.current_name(table))


def _may_land(platform: Platform, table: Table) -> bool:
    """Also where the source cannot be read: its asset then fails with the reason, and the others go on."""
    has_news = land_files.has_news if table.source.kind == "files" else land.has_news
    try:
        return has_news(platform, table)
    except (LogError, OSError):
        return True


def _moved_models(platform: Platform) -> Iterator[dg.AssetKey]:
    project = manifest.project()
    models = [m for m in project.models.values() if m.strategy != "days"]
    with platform.open_duckdb() as conn:
        for model in plan(conn, looking_at(platform, project, models), models).run:
            yield asset_key(model.identifier)
    for mart in daily_marts(project):
        if stale_days(platform, mart.name, project):
            yield asset_key(mart.identifier)
