"""Commits that are sent once, and whose refusal is believed only when the table shows that it must be true.

A catalog can refuse what it made: a proxy sends a request again and hands on the second answer, a server fails after
its commit. PyIceberg deletes what it wrote for a refused commit, and with it manifests that the table then names. Here
the table is read again first. The commit is found by its id; or another snapshot is where the commit asserts its own
base, so that it can never come; or nothing moved, and it is sent again over the same base, of which one at most comes.
Where it stops: nothing is computed anew. A caller whose commit met a conflict must read the table again and decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.table import Table
from pyiceberg.table import Transaction as PlainTransaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from lakehouse_assets.mendable import Mendable

COMMIT_ID = "lakehouse.commit-id"

_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5


class Conflict(Mendable):
    """The table moved since it was loaded; nothing of this commit is visible, nor ever will be."""


class Transaction(PlainTransaction):
    """PyIceberg's own, which neither sends a commit twice nor deletes what it wrote: it is kept from its producers.

    PyIceberg copies the whole metadata, each snapshot included, every time that it is looked at: some twenty times a
    commit. It only changes with an update that is staged.
    """

    _staged: tuple[int, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        if self._staged is None or self._staged[0] != len(self._updates):
            self._staged = len(self._updates), super().table_metadata
        return self._staged[1]

    def send(self) -> None:
        kept, self._snapshot_producers = self._snapshot_producers, []
        try:
            self.commit_transaction()
        finally:
            self._snapshot_producers = kept

    def tidy(self, made: int | None) -> None:
        """Deletes what it wrote and the snapshot `made` does not name."""
        for producer in self._snapshot_producers:
            if producer.snapshot_id == made:
                producer._cleanup_uncommitted()
            else:
                producer._clean_all_uncommitted()


def send(table: Table, commit_id: str, stage: Callable[[Transaction], None]) -> Snapshot:
    """The snapshot of the commit that `stage` describes, whose summary holds the id, over the handle's own view.

    Raises Conflict where another writer was faster. Any other error leaves open whether the commit was made, or will
    be: nothing that was written for it may be deleted.
    """
    base, sent = _base(table), []

    def attempt() -> Snapshot:
        transaction = Transaction(table)
        try:
            stage(transaction)
        except ValidationException as error:
            raise _conflict(table) from error
        sent.append(transaction)
        try:
            transaction.send()
        except Exception as error:
            made = _find(table.refresh(), commit_id)
            if made is not None:
                return made
            if isinstance(error, CommitFailedException) and _base(table) != base:
                raise _conflict(table) from error
            raise
        return cast(Snapshot, table.current_snapshot())

    again = Retrying(
        retry=retry_if_exception_type(CommitFailedException),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(0.05, max=_PAUSE_SECONDS),
        reraise=True,
    )
    try:
        snapshot = again(attempt)
    except Conflict:
        _tidy(sent, None)
        raise
    _tidy(sent, snapshot.snapshot_id)
    return snapshot


def _tidy(sent: list[Transaction], made: int | None) -> None:
    for transaction in sent:
        transaction.tidy(made)


def _base(table: Table) -> tuple[int | None, int]:
    """What a commit asserts of `main`, and the number that it takes the next of."""
    return table.metadata.current_snapshot_id, table.last_sequence_number


def _conflict(table: Table) -> Conflict:
    return Conflict(f"{'.'.join(table.name())} was changed by another writer; run it again")


def _find(table: Table, commit_id: str) -> Snapshot | None:
    """Anywhere in the table's history: one that was rolled back since was made too."""
    return next((s for s in table.metadata.snapshots if s.summary and s.summary.get(COMMIT_ID) == commit_id), None)
