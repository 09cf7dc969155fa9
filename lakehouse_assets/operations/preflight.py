"""Whether what a run needs can be reached: the sources, the catalog, ClickHouse. As checks, and for the command line.

Where it stops: whether the data in them is right is each layer's own.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import dagster as dg

from lakehouse_assets.bronze.assets import source_key
from lakehouse_assets.bronze.land_files import folder
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import Mendable
from lakehouse_assets.operations.outside import line

REACHABLE = "everything_needed_is_reachable"


class Unreachable(Mendable):
    """One or more systems cannot be reached; one line each."""


def check(platform: Platform) -> None:
    """Raises Unreachable naming every system that does not answer, with its own error."""
    problems = list(_problems(_shared(platform)))
    if problems:
        raise Unreachable("\n".join(problems))


def reachable_checks(platform: Platform) -> dg.AssetChecksDefinition:
    """A blocking check per source: nothing is landed while what the run needs does not answer."""
    specs = [
        dg.AssetCheckSpec(
            REACHABLE, asset=source_key(t), blocking=True, description="The source, the catalog and ClickHouse answer."
        )
        for t in tables()
    ]

    @dg.multi_asset_check(name="check_reachable", specs=specs, can_subset=True)
    def check_reachable(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        shared = list(_problems(_shared(platform)))
        for table in tables():
            key = dg.AssetCheckKey(source_key(table), REACHABLE)
            if key in context.selected_asset_check_keys:
                problems = [*shared, *_problems({table.topic: partial(_source, platform, table)})]
                yield dg.AssetCheckResult(
                    passed=not problems,
                    asset_key=key.asset_key,
                    check_name=key.name,
                    metadata={"problems": problems},
                )

    return check_reachable


def _shared(platform: Platform) -> Mapping[str, Callable[[], object]]:
    return {
        "catalog": lambda: platform.open_catalog().list_namespaces(),
        "clickhouse": lambda: platform.open_clickhouse().command("SELECT 1"),
        "event log": platform.log.check,
    }


def _source(platform: Platform, table: Table) -> object:
    """A topic or folder that is not there yet is empty, not unreachable."""
    if table.source.kind == "files":
        there = folder(platform, table)
        return there.exists() and list(there.iterdir())
    return platform.log.bounds(table.topic)


def _problems(wanted: Mapping[str, Callable[[], object]]) -> Iterator[str]:
    for name, reach in wanted.items():
        try:
            reach()
        except Exception as error:
            yield f"{name} cannot be reached: {line(str(error))}"
