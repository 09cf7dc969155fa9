"""One commit is one snapshot: rows added, files removed and the project's own marks, all or nothing.

Marks are summary keys that begin with `lakehouse.`. They describe the table's state, so that each commit carries them
forward and overrides what it knows better; `PER_COMMIT` ones describe one commit only. A table property repeats them,
for the day when another engine has expired every snapshot that holds them.
Where it stops: sending it, and what becomes of a refusal, is `transaction`'s.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update.snapshot import _SnapshotProducer

from lakehouse_assets.engines.iceberg.replacement import Replacement
from lakehouse_assets.engines.iceberg.scan import ancestors, is_compaction, sequence_of
from lakehouse_assets.engines.iceberg.transaction import COMMIT_ID, Transaction, send
from lakehouse_assets.mendable import Mendable

PREFIX = "lakehouse."
DAYS = "lakehouse.days"
REBUILT_DAYS = "lakehouse.rebuilt-days"
LOST = "lakehouse.lost-rows"
"""How many rows of rebuilt days came back neither as they were nor changed."""
RETIRED = "lakehouse.retired-rows"
"""How many rows retention dropped: they leave the table, and nothing that was made of them changes."""
RETIRED_IN_ALL = "lakehouse.retired-rows-in-all"
DROPPED_THROUGH = "lakehouse.dropped-through"
"""The newest ISO day whose partition retention dropped."""
ROLLED_BACK_TO = "lakehouse.rolled-back-to"
"""The number of the snapshot that a rollback made the present one."""
PER_COMMIT = frozenset({COMMIT_ID, DAYS, REBUILT_DAYS, LOST, RETIRED, ROLLED_BACK_TO})
MARKS = "lakehouse.marks"
"""The table property."""
AS_OF = "lakehouse.as-of"
"""In the property: the number of the snapshot that it repeats."""
LOAD_SEQUENCE = "lakehouse.load-sequence"
CHANGED = "lakehouse.changed-sequence"
"""The number of the last commit that changed what readers take from the table; expiry cannot lose it."""
REBUILT = "lakehouse.rebuilt-sequence"
"""The number of the last commit that took rows back, by a rebuild or a rollback."""


class MarksLost(Mendable):
    """The table was rolled back by another engine, to where nothing tells what it holds."""


def marks(table: Table) -> dict[str, str]:
    """The newest `lakehouse.` keys of the table's history, from the newest ancestor that holds any.

    Only where all of these have expired, of the property. Raises MarksLost where that tells of what was rolled back.
    """
    for snapshot in ancestors(table):
        if found := own_marks(snapshot):
            return found
    kept: dict[str, str] = json.loads(table.properties.get(MARKS, "{}"))
    if int(kept.pop(AS_OF, 0)) > sequence_of(table):
        raise MarksLost(
            f"{'.'.join(table.name())}: it was rolled back to a snapshot that does not say what it holds; roll it on to"
            f" one whose summary has keys that begin with {PREFIX}"
        )
    return kept


def repeated(table: Table, keys: Mapping[str, str]) -> dict[str, str]:
    """The table property for a commit of these marks over this handle."""
    kept = {k: v for k, v in keys.items() if k not in PER_COMMIT}
    return {MARKS: json.dumps({**kept, AS_OF: str(next_sequence(table))})}


def own_marks(snapshot: Snapshot) -> dict[str, str]:
    """The `lakehouse.` keys of one snapshot."""
    return {k: v for k, v in _summary(snapshot).items() if k.startswith(PREFIX)}


def last_told(table: Table) -> dict[str, str]:
    """The marks that still tell of the present rows: those below the compactions that another engine made since.

    None where it committed anything else: that said nothing of itself, and counts as a change of anything.
    """
    for snapshot in ancestors(table):
        if (found := own_marks(snapshot)) or not is_compaction(snapshot):
            return found
    return {}


def write_files(table: Table, rows: pa.Table) -> list[DataFile]:
    """Parquet files of the rows, partitioned and with statistics, not yet part of the table."""
    # Importing PyIceberg's Arrow reader, and with it pandas, takes a second that reading definitions must not.
    from pyiceberg.io.pyarrow import _dataframe_to_data_files

    if rows.num_rows == 0:
        return []
    return list(_dataframe_to_data_files(table.metadata, _arranged(table, rows), table.io))


def commit(
    table: Table,
    *,
    summary: Mapping[str, str],
    added: Sequence[DataFile] = (),
    removed: Sequence[DataFile] = (),
    properties: Mapping[str, str] | None = None,
    same_rows: bool = False,
) -> Snapshot:
    """Makes one snapshot over the handle's own view of the table; an empty append when no file changes.

    `same_rows` says that the added files hold the rows of the removed ones: a compaction, which is no news to anyone.
    Raises Conflict when another writer committed since the handle was loaded. After any other error it is not known
    whether the commit was made.
    """
    commit_id = uuid.uuid4().hex
    silent = same_rows or RETIRED in summary or not (added or removed)
    keys = {**carried(table, silent=silent, rebuilds=REBUILT_DAYS in summary), **summary, COMMIT_ID: commit_id}

    def stage(transaction: Transaction) -> None:
        with _producer(transaction, table, keys, same_rows, bool(removed)) as producer:
            for file in removed:
                producer.delete_data_file(file)
            for file in added:
                producer.append_data_file(file)
        transaction.set_properties({**repeated(table, keys), **(properties or {})})

    return send(table, commit_id, stage)


def carried(table: Table, *, silent: bool, rebuilds: bool) -> dict[str, str]:
    """The marks that the next commit carries on; `silent` where readers need not look at it."""
    known, told = marks(table), last_told(table)
    here = str(sequence_of(table))
    changed = told.get(CHANGED, here) if silent else str(next_sequence(table))
    rebuilt = str(next_sequence(table)) if rebuilds else told.get(REBUILT, here)
    return {**{k: v for k, v in known.items() if k not in PER_COMMIT}, CHANGED: changed, REBUILT: rebuilt}


def next_sequence(table: Table) -> int:
    """The number that a commit over this handle will have: `load_sequence` of the rows that it writes."""
    return table.last_sequence_number + 1


def discard(table: Table, files: Sequence[DataFile]) -> None:
    """Deletes files that no snapshot names, after a commit that was given up."""
    for file in files:
        table.io.delete(file.file_path)


def _producer(
    transaction: Transaction, table: Table, summary: Mapping[str, str], same_rows: bool, removes: bool
) -> _SnapshotProducer[Any]:
    if same_rows:
        return Replacement(transaction, table.io, summary)
    update = transaction.update_snapshot(snapshot_properties=dict(summary))
    return update.overwrite() if removes else update.merge_append()


def _summary(snapshot: Snapshot) -> Mapping[str, str]:
    return snapshot.summary.additional_properties if snapshot.summary is not None else {}


def _arranged(table: Table, rows: pa.Table) -> pa.Table:
    """The rows in the table's own column order and types, sorted as the table says."""
    schema = table.schema().as_arrow()
    missing = [n for n in schema.names if n not in rows.schema.names]
    for name in missing:
        rows = rows.append_column(name, pa.nulls(rows.num_rows, schema.field(name).type))
    plain = pa.schema([pa.field(f.name, f.type, f.nullable) for f in schema])
    arranged = rows.select(schema.names).cast(plain)
    order = [table.schema().find_column_name(f.source_id) for f in table.sort_order().fields]
    return arranged.sort_by([(name, "ascending") for name in order if name]) if order else arranged
