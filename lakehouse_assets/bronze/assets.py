"""Bronze tables as Dagster assets, and the topics and folders that they land as external assets before them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.asset_facts import asset_key, column_schema, preview, size
from lakehouse_assets.bronze.dead_letters import open_count
from lakehouse_assets.bronze.land import Landed, Landing, land, state
from lakehouse_assets.bronze.land_files import land_files
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import RETIRED_IN_ALL, marks
from lakehouse_assets.engines.platform import Platform

ACCOUNTED = "every_message_is_accounted"
FITS = "dead_letters_stay_below_the_threshold"
MASKED = ("key", "data", "before", "raw", "headers")
KINDS = {"cdc": "kafka", "events": "kafka", "files": "csv"}

Event = dg.MaterializeResult[Any] | dg.AssetCheckResult


def source_key(table: Table) -> dg.AssetKey:
    return dg.AssetKey(["sources", table.id])


def source_spec(table: Table) -> dg.AssetSpec:
    """The topic or folder outside, so that the graph begins where the data does."""
    return dg.AssetSpec(
        source_key(table),
        group_name="sources",
        description=f"{table.topic}: {table.source.description}",
        owners=[table.owned_by],
        kinds={KINDS[table.source.kind]},
        tags={"layer": "sources", "source": table.source.name},
    )


def bronze_asset(platform: Platform, table: Table) -> dg.AssetsDefinition:
    """Lands whatever the source holds beyond the landed offsets."""
    key = asset_key(spec(table).identifier)

    @dg.multi_asset(
        name=f"land_{table.id}",
        specs=[
            dg.AssetSpec(
                key,
                deps=[source_key(table)],
                group_name="bronze",
                description=spec(table).description,
                owners=[table.owned_by],
                kinds={"iceberg", "duckdb"},
                tags={"layer": "bronze", "source": table.source.name},
                metadata={"dagster/column_schema": column_schema(spec(table).schema)},
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(ACCOUNTED, asset=key, blocking=True, description=_ACCOUNTED_MEANS),
            dg.AssetCheckSpec(
                FITS,
                asset=key,
                description=f"At most {table.reject_threshold:.0%} of the messages are open dead letters.",
            ),
        ],
        can_subset=True,
        pool=f"bronze_{table.id}",
    )
    def land_table(context: dg.AssetExecutionContext) -> Iterator[Event]:
        landed = land_files(platform, table) if table.source.kind == "files" else land(platform, table)
        handle = platform.open_catalog().load_table(spec(table).identifier)
        counts: dict[str, Any] = {
            "consumed": landed.consumed,
            "dead_letters": landed.dead,
            "open_dead_letters": open_count(handle),
            "unchanged": landed == Landed(),
        }
        if landed.oldest is not None:
            counts["lag_seconds"] = (datetime.now(UTC) - landed.oldest).total_seconds()
        known = state(handle)
        with platform.open_duckdb() as conn:
            shown = {} if landed == Landed() else {"preview": preview(conn, handle, MASKED)}
        yield dg.MaterializeResult(
            asset_key=key, metadata={**size(handle), **counts, **shown, "next_offsets": dict(_texts(known))}
        )
        selected = {check.name for check in context.selected_asset_check_keys}
        if ACCOUNTED in selected:
            yield accounted(handle)
        if FITS in selected:
            yield _fits(key, table, known, open_count(handle))

    return land_table


_ACCOUNTED_MEANS = (
    "Messages landed and dead letters are those consumed, and the table's rows with those retention dropped."
)


def accounted(handle: IcebergTable) -> dg.AssetCheckResult:
    """Whether the counts agree with each other and with what Iceberg counts."""
    known, rows = state(handle), size(handle)["dagster/row_count"]
    retired = int(marks(handle).get(RETIRED_IN_ALL, 0))
    counts = {"consumed": known.consumed, "landed": known.landed, "dead_letters": known.dead, "rows": rows}
    return dg.AssetCheckResult(
        passed=known.landed + known.dead == known.consumed == rows + retired,
        asset_key=asset_key(".".join(handle.name())),
        check_name=ACCOUNTED,
        metadata={**counts, "retired": retired},
    )


def _fits(key: dg.AssetKey, table: Table, known: Landing, waiting: int) -> dg.AssetCheckResult:
    share = waiting / known.consumed if known.consumed else 0.0
    return dg.AssetCheckResult(
        passed=share <= table.reject_threshold,
        asset_key=key,
        check_name=FITS,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"open": waiting, "share": share, "threshold": table.reject_threshold},
    )


def _texts(known: Landing) -> Iterator[tuple[str, int]]:
    return ((str(partition), offset) for partition, offset in known.offsets.items())
