"""One commit is one snapshot: rows added, files removed and the project's own marks, all or nothing.

Marks are summary keys that begin with `lakehouse.`. They describe the table's state, so that each commit carries them
forward and overrides what it knows better; `PER_COMMIT` ones describe one commit only.
Where it stops: it never retries. A caller whose commit met a conflict must read the table again and decide.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import cast

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot

from lakehouse_assets.engines.iceberg.scan import ancestors, is_compaction, snapshots_since

PREFIX = "lakehouse."
COMMIT_ID = "lakehouse.commit-id"
DAYS = "lakehouse.days"
REBUILT_DAYS = "lakehouse.rebuilt-days"
LOST = "lakehouse.lost-rows"
"""How many rows of rebuilt days came back neither as they were nor changed."""
PER_COMMIT = frozenset({COMMIT_ID, DAYS, REBUILT_DAYS, LOST})
LOAD_SEQUENCE = "lakehouse.load-sequence"


class Conflict(RuntimeError):
    """The table moved since it was loaded; nothing of this commit is visible."""


class _Transaction(Transaction):
    """PyIceberg's own, which copies the whole metadata, each snapshot included, every time that it is looked at: some
    twenty times a commit. It only changes with an update that is staged."""

    _staged: tuple[int, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        if self._staged is None or self._staged[0] != len(self._updates):
            self._staged = len(self._updates), super().table_metadata
        return self._staged[1]


def marks(table: Table) -> dict[str, str]:
    """The newest `lakehouse.` keys of the table's history, from the newest ancestor that holds any."""
    for snapshot in ancestors(table):
        if found := own_marks(snapshot):
            return found
    return {}


def own_marks(snapshot: Snapshot) -> dict[str, str]:
    """The `lakehouse.` keys of one snapshot."""
    return {k: v for k, v in _summary(snapshot).items() if k.startswith(PREFIX)}


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
) -> Snapshot:
    """Makes one snapshot over the handle's own view of the table; an empty append when no file changes.

    Raises Conflict when another writer committed since the handle was loaded. An answer that was lost is looked up by
    the commit's id before it is believed lost.
    """
    commit_id = uuid.uuid4().hex
    carried = {k: v for k, v in marks(table).items() if k not in PER_COMMIT}
    keys = {**carried, **summary, COMMIT_ID: commit_id}
    # Retries would rebase this commit over another lander's rows: two would write the same offsets.
    table.metadata.properties["commit.retry.num-retries"] = "0"
    transaction = _Transaction(table)
    try:
        update = transaction.update_snapshot(snapshot_properties=keys)
        with update.overwrite() if removed else update.merge_append() as producer:
            for file in removed:
                producer.delete_data_file(file)
            for file in added:
                producer.append_data_file(file)
        if properties:
            transaction.set_properties(dict(properties))
        transaction.commit_transaction()
    except (CommitFailedException, ValidationException) as error:
        raise Conflict(f"{'.'.join(table.name())} was changed by another writer") from error
    except Exception:
        landed = _find(table.refresh(), commit_id)
        if landed is None:
            raise
        return landed
    return cast(Snapshot, table.current_snapshot())


def next_sequence(table: Table) -> int:
    """The number that a commit over this handle will have: `load_sequence` of the rows that it writes."""
    return table.last_sequence_number + 1


def touched_days(table: Table, sequence: int) -> set[str] | None:
    """ISO days that commits numbered above `sequence` touched (mark `lakehouse.days`).

    None where that is not known: ancestors expired, or one of them did not say.
    """
    newer = snapshots_since(table, sequence)
    if newer is None:
        return None
    days: set[str] = set()
    for snapshot in newer:
        said = _summary(snapshot).get(DAYS)
        if said is None and _changes_rows(snapshot):
            return None
        days.update(json.loads(said or "[]"))
    return days


def discard(table: Table, files: Sequence[DataFile]) -> None:
    """Deletes files that no snapshot names, after a commit that was given up."""
    for file in files:
        table.io.delete(file.file_path)


def _find(table: Table, commit_id: str) -> Snapshot | None:
    return next((s for s in ancestors(table) if _summary(s).get(COMMIT_ID) == commit_id), None)


def _changes_rows(snapshot: Snapshot) -> bool:
    """Compaction and a commit of marks alone do not."""
    return not is_compaction(snapshot) and not _summary(snapshot).keys().isdisjoint(
        {"added-data-files", "deleted-data-files"}
    )


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
