"""Which files the snapshots of a table need: data and delete files, manifests, manifest lists.

Where it stops: it deletes nothing, and of a data file it reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

Sizes = dict[str, int]
"""Bytes by location."""


def needed(table: Table, snapshots: Iterable[Snapshot]) -> Sizes:
    """Every file that a reader of one of the snapshots opens."""
    found: Sizes = {}
    done: set[str] = set()
    for snapshot in snapshots:
        found[snapshot.manifest_list] = len(table.io.new_input(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in done:
                continue
            done.add(manifest.manifest_path)
            found[manifest.manifest_path] = manifest.manifest_length
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                found[entry.data_file.file_path] = entry.data_file.file_size_in_bytes
    return found
