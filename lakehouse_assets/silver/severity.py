"""A rule whose contract says `fail` stops the run before anything is committed; the others only flag the row."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.mendable import Mendable
from lakehouse_assets.silver.cast import claims


class RuleBroken(Mendable):
    """A row breaks a rule of severity `fail`; the message names table, claim and the first row's coordinates."""


def refuse_broken(conn: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table) -> None:
    """Raises RuleBroken where `violations` of a row names a rule that must hold."""
    strict = [claim for claim, (_, rule) in claims(table).items() if rule.severity == "fail"]
    if not strict:
        return
    found = conn.execute(
        'select violations, topic, partition, "offset" from rows where list_has_any(violations, ?) limit 1', [strict]
    ).fetchall()
    for first in found:
        raise RuleBroken(
            f"{table.id}: {', '.join(first[0])} does not hold at topic {first[1]}, partition {first[2]}, offset"
            f" {first[3]}; mend the source, or relax the rule's severity in the contract"
        )
