"""The snapshot operation `replace`: other files with the same rows. PyIceberg has none of its own.

Manifests are merged on the way, whatever their number: a commit that overwrites files leaves them as many as they were,
so that only this keeps planning cheap. Where it stops: the rows of the files are the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestContent, ManifestFile
from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles
from pyiceberg.typedef import EMPTY_DICT

MANIFEST_BYTES = 8 * 1024 * 1024
"""Iceberg's default `commit.manifest.target-size-bytes`."""


class Replacement(_OverwriteFiles):
    """Takes files out and puts files in, as one snapshot of operation `replace`."""

    def __init__(self, transaction: Transaction, io: FileIO, summary: Mapping[str, str]) -> None:
        super().__init__(Operation.OVERWRITE, transaction, io, snapshot_properties=dict(summary))

    def _summary(self, snapshot_properties: dict[str, str] = EMPTY_DICT) -> Summary:
        counted = super()._summary(snapshot_properties)
        return Summary(Operation.REPLACE, **counted.additional_properties)

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        alive = [m for m in manifests if m.added_snapshot_id == self._snapshot_id or _holds_files(m)]
        data = [m for m in alive if m.content == ManifestContent.DATA]
        merger = _ManifestMergeManager(MANIFEST_BYTES, 2, True, self)
        merged = merger.merge_manifests(data) + [m for m in alive if m.content == ManifestContent.DELETES]
        # Those that were merged right after they were written are deleted with the commit, whatever becomes of it.
        kept = {m.manifest_path for m in merged}
        self._uncommitted_manifests += [path for path in self._written_manifests if path not in kept]
        self._written_manifests = [path for path in self._written_manifests if path in kept]
        return merged


def _holds_files(manifest: ManifestFile) -> bool:
    return manifest.has_added_files() or manifest.has_existing_files()
