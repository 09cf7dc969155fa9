"""Goes on where a topic begins now, after messages expired before they were landed.

Only a person may give messages up; what was given up stays in the table's marks.
Where it stops: a topic that was made again, cut or lost a partition is refused as by `land`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from lakehouse_assets.bronze.land import Landing, commit_batch, next_offsets, starts, state
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.tables import ensure, load
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.log.log import MESSAGES, Batch, LogError
from lakehouse_assets.engines.platform import Platform

SKIPPED = "lakehouse.skipped"
"""The mark that lists every gap of the table's life."""


@dataclass(frozen=True)
class Gap:
    """Offsets from `first` to before `end` of a partition, which the log no longer holds."""

    partition: int
    first: int
    end: int


def gaps(platform: Platform, table: Table) -> list[Gap]:
    """What would have to be given up; empty where nothing expired. Raises LogError as `land` does."""
    handle = load(platform.open_catalog(), spec(table).identifier)
    return _gaps(platform, table, state(handle) if handle is not None else Landing())


def skip(platform: Platform, table: Table, given_up: Sequence[Gap]) -> None:
    """Moves the next offsets beyond these gaps. Raises Conflict where they are no longer the gaps that there are."""
    handle = ensure(platform.open_catalog(), spec(table))
    known = state(handle)
    if list(given_up) != _gaps(platform, table, known):
        raise Conflict(f"{spec(table).identifier}: what expired is no longer what was shown; look again")
    reached = {**known.offsets, **{gap.partition: gap.end for gap in given_up}}
    before = json.loads(marks(handle).get(SKIPPED, "[]"))
    recorded = {SKIPPED: json.dumps([*before, *(asdict(gap) for gap in given_up)])}
    commit_batch(handle, [], known, known.topic_id, Batch(MESSAGES.empty_table(), reached), 0, recorded)


def _gaps(platform: Platform, table: Table, known: Landing) -> list[Gap]:
    identity, bounds = platform.log.identity(table.topic), platform.log.bounds(table.topic)
    begins = {partition: held.start for partition, held in bounds.items()}
    wanted = next_offsets(known, bounds)
    found = [Gap(p, offset, begins[p]) for p, offset in sorted(wanted.items()) if offset < begins.get(p, 0)]
    after = replace(known, offsets={**wanted, **{gap.partition: gap.end for gap in found}})
    try:
        starts(table, identity, after, bounds)
    except LogError as error:
        raise LogError(f"{spec(table).identifier}: {error}") from error
    return found
