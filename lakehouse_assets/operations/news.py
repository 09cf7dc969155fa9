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
    moved = {key for key in _moved(platform, selected) if key in selected}
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


def _moved(platform: Platform, selected: Collection[dg.AssetKey]) -> Iterator[dg.AssetKey]:
    """Those whose input moved; what has nothing in the selection is not looked at."""
    for table in tables():
        if set(_keys(table)) & set(selected):
            yield from _moved_tables(platform, table)
    yield from _moved_models(platform, selected)
    if any(key.path[0] == "gold" for key in selected):
        for model in unpublished(platform):
            yield dg.AssetKey(["gold", model.name])


def _keys(table: Table) -> Iterator[dg.AssetKey]:
    """The table in bronze and silver, where it is folded into twice with both."""
    yield asset_key(bronze_spec(table).identifier)
    yield asset_key(schema.current_name(table))
    if table.source.kind == "cdc":
        yield asset_key(schema.changes_name(table))


def _moved_tables(platform: Platform, table: Table) -> Iterator[dg.AssetKey]:
    if _may_land(platform, table):
        yield asset_key(bronze_spec(table).identifier)
    yield from unfolded(platform, table)


def unfolded(platform: Platform, table: Table) -> Iterator[dg.AssetKey]:
    """The table's silver assets that have rows to fold; a look at the catalog."""
    _, current_key, *changes_key = _keys(table)
    folded_key = changes_key[0] if changes_key else current_key
    catalog = platform.open_catalog()
    bronze, silver = load(catalog, bronze_spec(table).identifier), load(catalog, ".".join(folded_key.path))
    if bronze is None:
        return
    if silver is None or not is_consumed(bronze, watermark(silver)):
        yield folded_key
    if changes_key and not is_folded(platform, table):
        yield current_key


def _may_land(platform: Platform, table: Table) -> bool:
    """Also where the source cannot be read: its asset then fails with the reason, and the others go on."""
    has_news = land_files.has_news if table.source.kind == "files" else land.has_news
    try:
        return has_news(platform, table)
    except (LogError, OSError):
        return True


def _moved_models(platform: Platform, selected: Collection[dg.AssetKey]) -> Iterator[dg.AssetKey]:
    project = manifest.project()
    wanted = [m for m in project.models.values() if asset_key(m.identifier) in selected]
    models = [m for m in wanted if m.strategy != "days"]
    if models:
        with platform.open_duckdb() as conn:
            for model in plan(conn, looking_at(platform, project, models), models).run:
                yield asset_key(model.identifier)
    for mart in daily_marts(project):
        if mart in wanted and stale_days(platform, mart.name, project):
            yield asset_key(mart.identifier)
