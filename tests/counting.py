"""What an increment reads and writes below `warehouse/`, whichever process or library does it.

Files that were read are told by their access time, which is set back before; what PyIceberg opens is counted by its
`FileIO` as well. A file counts whole, also where one column of it is read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pyiceberg.catalog import Catalog
from pyiceberg.io import InputFile
from pyiceberg.io.pyarrow import PyArrowFileIO

Kind = str
"""`data`, `manifest`, `list` or `table` (the metadata JSON)."""


@dataclass
class Traffic:
    """Bytes by (table, kind), one entry a file."""

    read: dict[tuple[str, Kind], list[int]] = field(default_factory=dict)
    written: dict[tuple[str, Kind], list[int]] = field(default_factory=dict)
    opened: Counter[tuple[str, Kind]] = field(default_factory=Counter)
    """How often PyIceberg asked for a file of the kind to read."""

    def files_read(self, table: str, kind: Kind = "data") -> int:
        return len(self.read.get((table, kind), []))

    def bytes_read(self, table: str) -> int:
        return sum(self.read.get((table, "data"), []))

    def files_written(self, table: str, kind: Kind = "data") -> int:
        return len(self.written.get((table, kind), []))

    def bytes_written(self, table: str) -> int:
        return sum(self.written.get((table, "data"), []))

    def tables_read(self) -> set[str]:
        """Those of which a data file was read."""
        return {table for table, kind in self.read if kind == "data"}

    def tables_written(self) -> set[str]:
        return {table for table, kind in self.written if kind == "data"}


class CountingIO(PyArrowFileIO):
    """PyIceberg's own, counting the files that it is asked to read."""

    opened: ClassVar[Counter[tuple[str, Kind]]] = Counter()

    def new_input(self, location: str) -> InputFile:
        CountingIO.opened[_place(Path(location))] += 1
        return super().new_input(location)


def count_opens(catalog: Catalog) -> None:
    """Makes the tables that the catalog loads from now on count."""
    catalog.properties["py-io-impl"] = f"{CountingIO.__module__}.{CountingIO.__name__}"


@contextmanager
def counted(home: Path) -> Iterator[Traffic]:
    """Fills the traffic when the block ends."""
    before = set(_files(home))
    for path in before:
        os.utime(path, (0, path.stat().st_mtime))
    CountingIO.opened.clear()
    traffic = Traffic()
    yield traffic
    for path in _files(home):
        facts = path.stat()
        side = traffic.written if path not in before else traffic.read if facts.st_atime > 0 else None
        if side is not None:
            side.setdefault(_place(path), []).append(facts.st_size)
    traffic.opened = Counter(CountingIO.opened)


def keeps_access_times(folder: Path) -> bool:
    """Whether reading a file shows; a file system mounted with `noatime` hides it."""
    probe = folder / "probe"
    probe.write_text("x")
    os.utime(probe, (0, probe.stat().st_mtime))
    probe.read_text()
    return probe.stat().st_atime > 0


def _files(home: Path) -> Iterator[Path]:
    return (path for path in (home / "warehouse").rglob("*") if path.is_file())


def _place(path: Path) -> tuple[str, Kind]:
    layer, table = path.parts[path.parts.index("warehouse") + 1 :][:2]
    kinds = {".parquet": "data", ".json": "table", ".avro": "list" if path.name.startswith("snap-") else "manifest"}
    return f"{layer}.{table}", kinds.get(path.suffix, "other")
