"""Contract rules and the layer's own accounting as Dagster asset checks.

Counts come from the marks that each fold commits, so that a check costs no scan; only references and uniqueness read
columns of the table, uniqueness only of what is new since it held. Where it stops: `cast` tests a rule row by row.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.asset_facts import asset_key, size
from lakehouse_assets.contracts.rules import RefersTo, Unique
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import quoted, select
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.scan import changed_since, data_files, sequence_of
from lakehouse_assets.engines.iceberg.tables import load
from lakehouse_assets.silver import rejects, schema
from lakehouse_assets.silver.accounting import account, refused_by_rule
from lakehouse_assets.silver.cast import claims
from lakehouse_assets.silver.fold_current import violations
from lakehouse_assets.silver.undeclared import undeclared

ACCOUNTED = "every_row_is_accounted"
KEY_IS_UNIQUE = "key_is_unique"
PROVEN = "up_to_sequence"
LOOKED_AT = "looked_at"
FITS = "rejects_stay_below_the_threshold"
DECLARED = "every_column_is_declared"


def equals_source(table: Table) -> str:
    return f"{table.name}_equals_source"


def specs(table: Table, name: str) -> list[dg.AssetCheckSpec]:
    """The checks of a silver table: of the contract's rules where it holds rows, of the layer everywhere."""
    key = asset_key(name)
    accounted = dg.AssetCheckSpec(
        ACCOUNTED,
        asset=key,
        blocking=True,
        description="Bronze rows in = out + rejected + superseded + ignored + retired.",
    )
    declared = dg.AssetCheckSpec(DECLARED, asset=key, description="The contract names every column of the messages.")
    if name == schema.changes_name(table):
        return [accounted, declared]
    unique = dg.AssetCheckSpec(KEY_IS_UNIQUE, asset=key, blocking=True, description="No key has two rows.")
    rules = [
        dg.AssetCheckSpec(claim, asset=key, description=f"{column.description} (rule of the contract)")
        for claim, (column, _) in claims(table).items()
    ]
    if table.source.kind == "cdc":
        equal = "No change of the source waits among the rejects."
        return [unique, dg.AssetCheckSpec(equals_source(table), asset=key, description=equal), *rules]
    limit = f"At most {table.reject_threshold:.0%} of the rows are rejects that nobody decided on."
    return [accounted, declared, unique, dg.AssetCheckSpec(FITS, asset=key, description=limit), *rules]


def accounted(table: IcebergTable) -> dg.AssetCheckResult:
    """Whether the counts balance and `out` is what Iceberg counts."""
    found = account(marks(table))
    rows = size(table)["dagster/row_count"]
    return dg.AssetCheckResult(
        passed=found.balances and found.out + found.derived == rows,
        asset_key=asset_key(".".join(table.name())),
        check_name=ACCOUNTED,
        metadata={
            "in": found.taken_in,
            "out": found.out,
            "rejected": found.rejected,
            "superseded": found.superseded,
            "ignored": found.ignored,
            "retired": found.retired,
            "derived": found.derived,
            "rows": rows,
        },
    )


def every_column_is_declared(table: Table, silver: IcebergTable) -> dg.AssetCheckResult:
    """Warns of columns that only bronze holds, and says since when."""
    found = undeclared(table, marks(silver))
    fix = {"fix": "declare it, run `lakehouse sync`, then rebuild the days since it was first seen"} if found else {}
    return dg.AssetCheckResult(
        passed=not found,
        asset_key=asset_key(".".join(silver.name())),
        check_name=DECLARED,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**{name: f"first seen at {place}" for name, place in found.items()}, **fix},
    )


def rules_hold(table: Table, current: IcebergTable, catalog: Catalog) -> Iterator[dg.AssetCheckResult]:
    """One result per claim. A CDC table keeps rows that break one, flagged; events and files have refused them."""
    known = marks(current)
    broken = violations(known) if table.source.kind == "cdc" else refused_by_rule(known)
    for claim in claims(table):
        yield dg.AssetCheckResult(
            passed=table.source.kind != "cdc" or not broken[claim],
            asset_key=asset_key(schema.current_name(table)),
            check_name=claim,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"rows_that_break_it" if table.source.kind == "cdc" else "rows_refused": broken[claim]},
        )
    if table.source.kind != "cdc":
        found = account(known)
        discarded = rejects.decided(catalog, table).discarded
        share = (found.rejected - discarded) / found.taken_in if found.taken_in else 0.0
        yield dg.AssetCheckResult(
            passed=share <= table.reject_threshold,
            asset_key=asset_key(schema.current_name(table)),
            check_name=FITS,
            metadata={"share": share, "threshold": table.reject_threshold, "discarded": discarded, **dict(broken)},
        )


def source_is_equalled(catalog: Catalog, table: Table) -> dg.AssetCheckResult:
    """Fails while a change of the table is a reject that nobody decided on."""
    counts = rejects.decided(catalog, table)
    return dg.AssetCheckResult(
        passed=counts.open == 0,
        asset_key=asset_key(schema.current_name(table)),
        check_name=equals_source(table),
        metadata={"changes_among_the_rejects": counts.open, "changes_that_were_discarded": counts.discarded},
    )


def key_is_unique(
    conn: duckdb.DuckDBPyConnection, table: Table, current: IcebergTable, earlier: dg.AssetCheckResult | None = None
) -> dg.AssetCheckResult:
    """Reads the key columns, nothing else: after a check that passed, of the files written since and of those that may
    hold the same keys; otherwise of all."""
    keys = ", ".join(quoted(k) for k in table.key)
    written = changed_since(current, _proven(earlier))
    if written is None:
        files = data_files(current)
    else:
        told = conn.sql(f"select distinct {keys} from ({select(current, written)})").to_arrow_table()
        files = rewrite.candidates(current, told)
    source = select(current, files)
    [(rows, distinct)] = conn.execute(f"select count(*), count(distinct ({keys})) from ({source})").fetchall()
    return dg.AssetCheckResult(
        passed=rows == distinct,
        asset_key=asset_key(schema.current_name(table)),
        check_name=KEY_IS_UNIQUE,
        metadata={"rows_compared": rows, "keys": distinct, PROVEN: sequence_of(current)},
    )


def _proven(earlier: dg.AssetCheckResult | None) -> int:
    """The number of the snapshot up to which keys are known to be unique."""
    return int(str(_value(earlier, PROVEN) or 0)) if earlier is not None and earlier.passed else 0


def table_rule_specs(tables: list[Table]) -> list[dg.AssetCheckSpec]:
    """The checks of rules that need more than one row."""
    return [
        dg.AssetCheckSpec(
            rule.claim(column.name),
            asset=asset_key(schema.current_name(table)),
            description=f"{column.description} (rule of the contract)",
            additional_deps=_referred(table, rule),
        )
        for table in tables
        for column in table.live_columns
        for rule in column.table_rules
    ]


def table_rule_holds(
    conn: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    table: Table,
    column: str,
    rule: Unique | RefersTo,
    earlier: dg.AssetCheckResult | None = None,
) -> dg.AssetCheckResult:
    """Reads the one column, and the key of the table that it refers to; one that is not there holds no key.

    `earlier` is told again where both tables are what it looked at.
    """
    current = catalog.load_table(schema.current_name(table))
    other = load(catalog, f"silver.{table.source.name}_{rule.table}") if isinstance(rule, RefersTo) else None
    looked_at = f"{sequence_of(current)}/{sequence_of(other) if other is not None else 0}"
    if earlier is not None and _value(earlier, LOOKED_AT) == looked_at:
        return earlier
    values = f"select {quoted(column)} as value from ({select(current, data_files(current))}) where value is not null"
    if isinstance(rule, Unique):
        sql = f"select count(*) - count(distinct value) from ({values})"
    elif other is not None:
        key = quoted(other.schema().fields[0].name)
        sql = f"select count(*) from ({values}) v anti join ({select(other, data_files(other))}) o on o.{key} = v.value"
    else:
        sql = f"select count(*) from ({values})"
    [(broken,)] = conn.execute(sql).fetchall()
    return dg.AssetCheckResult(
        passed=broken == 0,
        asset_key=asset_key(schema.current_name(table)),
        check_name=rule.claim(column),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rows_that_break_it": broken, LOOKED_AT: looked_at},
    )


def _value(result: dg.AssetCheckResult, name: str) -> object:
    """A metadata value of an earlier result, which the instance gives wrapped."""
    return getattr((result.metadata or {}).get(name), "value", None)


def _referred(table: Table, rule: Unique | RefersTo) -> list[dg.AssetKey]:
    return [asset_key(f"silver.{table.source.name}_{rule.table}")] if isinstance(rule, RefersTo) else []
