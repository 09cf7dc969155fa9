"""The table `operations.decisions`: who gave rejects and dead letters another try or discarded them, when, which and
how many.

A decision is told when it begins and again, under the same id, when it has ended, so that one that a crash cut short
shows. Where it stops: the rows themselves say what became of each.
"""

from __future__ import annotations

import os
import pwd
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.schema import TIMESTAMPTZ, field
from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure
from lakehouse_assets.engines.platform import Platform

_ATTEMPTS = 20

DECISIONS = TableSpec(
    "operations.decisions",
    pa.schema(
        [
            field("decision_id", pa.string(), "The same in the row of the begin and that of the end.", False),
            field("state", pa.string(), "begun, done or failed.", False),
            field("at", TIMESTAMPTZ, "When it began or ended.", False),
            field("by", pa.string(), "The user of the machine who ran the command.", False),
            field("decision", pa.string(), "replay or discard.", False),
            field("kind", pa.string(), "dead letters or rejects.", False),
            field("table", pa.string(), "The contract's id.", False),
            field("filter", pa.string(), "Which rows were meant, as JSON.", False),
            field("rows_decided", pa.int64(), "Rows that were taken after all, or discarded."),
            field("rows_left", pa.int64(), "Rows that were tried and stay."),
        ]
    ),
    description="Every replay and discarding of rejects and dead letters.",
)


@dataclass
class Outcome:
    decided: int = 0
    left: int = 0


@contextmanager
def told(platform: Platform, kind: str, decision: str, table: Table, wanted: str) -> Iterator[Outcome]:
    """Tells the begin, then the end with the outcome that the caller has set by then, also where it failed."""
    row = {
        "decision_id": uuid.uuid4().hex,
        "by": _user(),
        "decision": decision,
        "kind": kind,
        "table": table.id,
        "filter": wanted,
    }
    outcome = Outcome()
    _tell(platform, {**row, "state": "begun"})
    state = "failed"
    try:
        yield outcome
        state = "done"
    finally:
        _tell(platform, {**row, "state": state, "rows_decided": outcome.decided, "rows_left": outcome.left})


def _tell(platform: Platform, row: dict[str, Any]) -> None:
    def append() -> None:
        table = ensure(platform.open_catalog(), DECISIONS)
        rows = pa.Table.from_pylist([{**row, "at": datetime.now(UTC)}], schema=DECISIONS.schema)
        commit(table, summary={}, added=write_files(table, rows))

    settled(append, _ATTEMPTS)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
