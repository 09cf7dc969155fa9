"""Backups of the embedded lakehouse: gold, the catalog, every file that it names, the event log and the CSV files.

1. ClickHouse writes gold out itself. It comes first: gold that is older than its mart is published again.
2. Copy the catalog, then every file that a snapshot in the copy needs. Files of tables never change; where an expiry
   removed one meanwhile, the catalog is copied anew.
3. The log comes last, so that it reaches as far as the offsets do. The list with each file's SHA-256 completes it.

Safety: what is not complete has no list and another name, and is never taken for a backup.
Where it stops: Dagster's runs are not in it; putting it back is `restore.py`'s.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyiceberg.table import StaticTable
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from lakehouse_assets.engines.clickhouse.publish import GOLD
from lakehouse_assets.engines.clickhouse.sql import literal, quoted
from lakehouse_assets.engines.duckdb.session import local_path
from lakehouse_assets.engines.iceberg.reachable import needed
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput, Mendable

CATALOG, CLICKHOUSE = "catalog.db", "clickhouse/backups"
SOURCES = ("events", "files")
LIST = "list.json"
_FILES, _UNFINISHED = "home", ".unfinished"
_ATTEMPTS = 5


class NotEmbedded(BadInput):
    """The stack's catalog, objects and ClickHouse have backups of their own."""


class NothingToBackUp(BadInput):
    """There is no lakehouse where LAKEHOUSE_HOME says."""


class UnknownBackup(BadInput):
    """No such backup; the message names those that there are."""


class DamagedBackup(Mendable):
    """Files of a backup are missing or are not what was written."""


@dataclass(frozen=True)
class Entry:
    """A file by its path below LAKEHOUSE_HOME, with its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """A complete one: its folder, the LAKEHOUSE_HOME that it is of, and its files."""

    folder: Path
    home: Path
    made_at: datetime
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.entries)

    def file(self, entry: Entry) -> Path:
        return self.folder / _FILES / entry.path


def require_embedded(platform: Platform) -> None:
    """Raises NotEmbedded."""
    if platform.name != "embedded":
        raise NotEmbedded(
            "a backup is of the embedded profile; back up the stack's object store, PostgreSQL and ClickHouse by their"
            " own means, the catalog first"
        )


def create(platform: Platform, target: Path, now: datetime | None = None) -> Backup:
    """A backup below `target`. Raises NotEmbedded, NothingToBackUp."""
    _require_lakehouse(platform)
    made = now or datetime.now(UTC)
    folder = target / f"{made:%Y%m%dT%H%M%S%fZ}"
    unfinished = folder.with_suffix(_UNFINISHED)
    home = unfinished / _FILES
    home.mkdir(mode=0o700, parents=True)
    unfinished.chmod(0o700)
    try:
        _copy_gold(platform, home, folder.name)
        again = Retrying(
            retry=retry_if_exception_type(FileNotFoundError), stop=stop_after_attempt(_ATTEMPTS), reraise=True
        )
        again(_copy_lake, platform.home, home)
        for path in _sources(platform.home):
            _copy(platform.home, home, path)
        entries = tuple(_entry(home, path) for path in sorted(home.rglob("*")) if path.is_file())
        told = {"home": str(platform.home), "made_at": made.isoformat(), "files": [asdict(e) for e in entries]}
        (unfinished / LIST).write_text(json.dumps(told, indent=1), "utf-8")
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return Backup(folder, platform.home, made, entries)


def planned(platform: Platform) -> tuple[int, int]:
    """How many files and bytes a backup would hold beside gold; nothing is written. Raises as `create` does."""
    _require_lakehouse(platform)
    with tempfile.TemporaryDirectory(prefix="lakehouse-backup-") as beside:
        files = {*_named(_copied_catalog(platform.home, Path(beside))), *_sources(platform.home)}
    return len(files), sum(path.stat().st_size for path in files)


def backups(target: Path) -> list[Backup]:
    """The complete ones, newest first."""
    return [_read(path.parent) for path in sorted(target.glob(f"*/{LIST}"), reverse=True)]


def find(target: Path, name: str | None) -> Backup:
    """The one of the name, or the newest. Raises UnknownBackup."""
    held = backups(target)
    found = next((b for b in held if name in (None, b.name)), None)
    if found is None:
        what = f"there is no backup {name!r}" if name else "there is no backup"
        raise UnknownBackup(f"{what} in {target}; there are {', '.join(b.name for b in held) or 'none'}")
    return found


def problems(backup: Backup) -> Iterator[str]:
    """A line for each file that is missing or is not what was written."""
    for entry in backup.entries:
        path = backup.file(entry)
        if not path.is_file():
            yield f"{entry.path} is missing"
        elif path.stat().st_size != entry.size:
            yield f"{entry.path} has {path.stat().st_size} bytes, it had {entry.size}"
        elif _digest(path) != entry.sha256:
            yield f"{entry.path} has other content than was written"


def verify(backup: Backup) -> None:
    """Raises DamagedBackup."""
    found = list(problems(backup))
    if found:
        more = f" and {len(found) - 3} others" if found[3:] else ""
        raise DamagedBackup(f"backup {backup.name} is damaged: {'; '.join(found[:3])}{more}; restore another one")


def prune(target: Path, keep: int) -> list[str]:
    """Removes all but the newest `keep` (at least one); their names."""
    gone = backups(target)[max(keep, 1) :]
    for backup in gone:
        shutil.rmtree(backup.folder)
    return [backup.name for backup in gone]


def _require_lakehouse(platform: Platform) -> None:
    require_embedded(platform)
    if not (platform.home / CATALOG).exists():
        raise NothingToBackUp(f"there is no lakehouse at {platform.home}; LAKEHOUSE_HOME says where it is")


def _copy_gold(platform: Platform, home: Path, name: str) -> None:
    client = platform.open_clickhouse()
    if not client.query("SELECT 1 FROM system.databases WHERE name = 'gold'").result_rows:
        return
    written = platform.home / CLICKHOUSE / name
    try:
        client.command(f"BACKUP DATABASE {quoted(GOLD)} TO File({literal(name)})")
        shutil.copytree(written, home / CLICKHOUSE)
    finally:
        shutil.rmtree(written, ignore_errors=True)


def _copy_lake(source: Path, home: Path) -> None:
    """Raises FileNotFoundError where a file of the catalog's went meanwhile."""
    for path in _named(_copied_catalog(source, home)):
        if not (home / path.relative_to(source)).exists():
            _copy(source, home, path)


def _copied_catalog(source: Path, folder: Path) -> Path:
    copy = folder / CATALOG
    with closing(sqlite3.connect(source / CATALOG)) as catalog, closing(sqlite3.connect(copy)) as beside:
        catalog.backup(beside)
    return copy


def _named(catalog: Path) -> Iterator[Path]:
    """Every file that a reader of any snapshot of any table opens."""
    with closing(sqlite3.connect(catalog)) as conn:
        locations = conn.execute("select metadata_location from iceberg_tables").fetchall()
    for (location,) in locations:
        table = StaticTable.from_metadata(location)
        yield Path(local_path(location))
        yield from (Path(local_path(at)) for at in needed(table, table.metadata.snapshots))


def _sources(source: Path) -> list[Path]:
    return [path for name in SOURCES for path in sorted((source / name).rglob("*")) if path.is_file()]


def _copy(source: Path, home: Path, path: Path) -> None:
    copy = home / path.relative_to(source)
    copy.parent.mkdir(parents=True, exist_ok=True)
    beside = copy.with_name(f"{copy.name}.copying")
    shutil.copy2(path, beside)  # with its time, by which a delivered file is known
    if path.suffix == ".jsonl":
        _end_with_a_line(beside)
    beside.rename(copy)


def _end_with_a_line(path: Path) -> None:
    """What was copied of a line that was being written would end up in the middle of another one."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        while size:
            start = max(0, size - 65_536)
            file.seek(start)
            found = file.read(size - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            size = start
        file.truncate(0)


def _entry(home: Path, path: Path) -> Entry:
    return Entry(str(path.relative_to(home)), path.stat().st_size, _digest(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(folder: Path) -> Backup:
    told = json.loads((folder / LIST).read_text("utf-8"))
    entries = tuple(Entry(**entry) for entry in told["files"])
    return Backup(folder, Path(told["home"]), datetime.fromisoformat(told["made_at"]), entries)
