"""Puts a backup back in the place that it is of.

1. Verify every checksum, and copy the files beside.
2. Stop ClickHouse's owner, move what is there into a folder of its own, and move the copies in; the catalog last, so
   that no table is seen before its files are there.
3. ClickHouse takes gold back.

Safety: nothing is deleted: what was replaced stays in `replaced-<time>`, for a person to remove. What is cut short can
be done again.
Where it stops: whatever else runs must be stopped first; what came after the backup the next increment lands again.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lakehouse_assets.engines.clickhouse import client as owner
from lakehouse_assets.engines.clickhouse.publish import GOLD
from lakehouse_assets.engines.clickhouse.sql import literal, quoted
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput
from lakehouse_assets.operations.backup import CATALOG, CLICKHOUSE, SOURCES, Backup, require_embedded, verify

REPLACED = ("clickhouse/data", "warehouse", CATALOG)
"""In the order in which they are put back. A log that is still there reaches further than the backup's, and stays."""

_BESIDE = "restoring"


class OtherHome(BadInput):
    """Iceberg's metadata holds absolute paths: a backup goes back where it came from."""


@dataclass(frozen=True)
class Restored:
    """`replaced` is where what was there before lies; none where nothing was."""

    backup: str
    files: int
    bytes: int
    replaced: str | None


def check(platform: Platform, backup: Backup) -> list[str]:
    """What is there and would be replaced. Raises NotEmbedded, OtherHome, DamagedBackup."""
    require_embedded(platform)
    if backup.home != platform.home:
        raise OtherHome(f"backup {backup.name} is of {backup.home}, and goes back there: LAKEHOUSE_HOME={backup.home}")
    verify(backup)
    return [place for place in REPLACED if (platform.home / place).exists()]


def restore(platform: Platform, backup: Backup, now: datetime | None = None) -> Restored:
    """Makes the lakehouse what it was. Raises as `check` does."""
    there = check(platform, backup)
    home, beside = platform.home, platform.home / _BESIDE
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700, parents=True)
    for entry in backup.entries:
        copy = beside / entry.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(backup.file(entry), copy)
    owner.stop(home)
    replaced = home / f"replaced-{now or datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    for place in reversed(there):
        _move(home / place, replaced / place)
    for place in (*SOURCES, *REPLACED):
        if (beside / place).exists() and not (home / place).exists():
            _move(beside / place, home / place)
    _take_gold(platform, beside / CLICKHOUSE, backup.name)
    shutil.rmtree(beside)
    return Restored(backup.name, len(backup.entries), backup.bytes, str(replaced) if there else None)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source.rename(target)


def _take_gold(platform: Platform, written: Path, name: str) -> None:
    if not written.exists():
        return
    taken = platform.home / CLICKHOUSE / name
    shutil.rmtree(taken, ignore_errors=True)
    _move(written, taken)
    try:
        with owner.connect(platform.home) as client:  # one that was open before is bound to the owner that ended
            client.command(f"RESTORE DATABASE {quoted(GOLD)} FROM File({literal(name)})")
    finally:
        shutil.rmtree(taken)
