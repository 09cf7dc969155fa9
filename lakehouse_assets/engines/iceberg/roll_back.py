"""Makes an earlier snapshot of `main` the present one, in one commit that says so.

The commit tags what was, moves `main`, and adds an empty snapshot whose marks tell readers that what they took from the
snapshots in between is void. Numbers only grow, so that none of those is ever taken for a later one.
Where it stops: whether it may be done, and what follows from it, is `operations/history.py`'s.
"""

from __future__ import annotations

import time
import uuid
from typing import cast

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot, ancestors_of
from pyiceberg.table.update.snapshot import ManageSnapshots

from lakehouse_assets.engines.iceberg.commit import (
    CHANGED,
    PER_COMMIT,
    REBUILT,
    ROLLED_BACK_TO,
    next_sequence,
    own_marks,
    repeated,
)
from lakehouse_assets.engines.iceberg.transaction import COMMIT_ID, Transaction, send


def roll_back(table: Table, target: Snapshot, tag: str, keep_ms: int) -> Snapshot:
    """The new snapshot, with the rows and marks of the target; the tag stays for `keep_ms` from now.

    Raises Conflict where another writer committed."""
    head = cast(Snapshot, table.current_snapshot())
    age = int(time.time() * 1000) - head.timestamp_ms + keep_ms  # Iceberg counts from when the snapshot was made
    number = str(next_sequence(table))
    commit_id = uuid.uuid4().hex
    keys = {
        **marks_at(table, target),
        CHANGED: number,
        REBUILT: number,
        ROLLED_BACK_TO: str(target.sequence_number or 0),
        COMMIT_ID: commit_id,
    }

    def stage(transaction: Transaction) -> None:
        # The first of these states what `main` is: PyIceberg sends one statement of each kind.
        ManageSnapshots(transaction).set_current_snapshot(snapshot_id=target.snapshot_id).commit()
        ManageSnapshots(transaction).create_tag(head.snapshot_id, tag, age).commit()
        with transaction.update_snapshot(snapshot_properties=keys).merge_append():
            pass
        transaction.set_properties(repeated(table, keys))

    return send(table, commit_id, stage)


def marks_at(table: Table, snapshot: Snapshot) -> dict[str, str]:
    """The marks that the table had when the snapshot was the present one, but for those of one commit."""
    for ancestor in ancestors_of(snapshot, table.metadata):
        if found := own_marks(ancestor):
            return {k: v for k, v in found.items() if k not in PER_COMMIT}
    return {}
