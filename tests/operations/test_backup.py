"""What was destroyed is what it was after a restore, also where the backup was made beside landing and expiry."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.clickhouse.client import stop
from lakehouse_assets.operations.backup import DamagedBackup, backups, create, problems, prune
from lakehouse_assets.operations.backup_job import BACKUP
from lakehouse_assets.operations.compaction import Sizes, compact
from lakehouse_assets.operations.expiry import expire
from lakehouse_assets.operations.restore import restore
from lakehouse_assets.silver.fold_events import fold_events
from tests.end_to_end.lakehouse import Lakehouse
from tests.operations.conftest import START, add_events
from tests.operations.test_backfill import FED_BY_EVENTS, differing

EVENTS, BRONZE = "silver.clickstream_user_events", "bronze.clickstream_user_events"


def _destroy(lakehouse: Lakehouse) -> None:
    lakehouse.platform.open_catalog().close()
    stop(lakehouse.home)
    shutil.rmtree(lakehouse.home)


def _held(lakehouse: Lakehouse) -> tuple[object, ...]:
    log = {str(p): p.read_bytes() for p in (lakehouse.home / "events").rglob("*") if p.is_file()}
    rows = {name: sorted(map(repr, lakehouse.rows(name))) for name in lakehouse.tables()}
    gold = {name: sorted(map(repr, lakehouse.gold(name))) for name in FED_BY_EVENTS}
    return log, rows, gold, lakehouse.snapshots()


def test_everything_that_was_destroyed_is_restored_and_goes_on(lakehouse: Lakehouse, tmp_path: Path) -> None:
    before = _held(lakehouse)
    made = create(lakehouse.platform, tmp_path)
    assert (list(problems(made)), [b.name for b in backups(tmp_path)]) == ([], [made.name])
    _destroy(lakehouse)
    done = restore(lakehouse.platform, made)
    assert (done.files, done.replaced) == (len(made.entries), None)
    assert _held(lakehouse) == before
    assert lakehouse.increment().runs == (), "what was restored is no news"
    add_events(lakehouse, START + timedelta(hours=6), 20, 100, seed=70)
    assert lakehouse.increment().success, lakehouse.errors
    assert differing(lakehouse) == []


def test_a_backup_beside_landing_compaction_and_expiry_holds_every_file_that_it_names(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    events, ended = contract("clickstream_user_events"), threading.Event()

    def go_on() -> None:
        seed = 80
        while not ended.is_set():
            add_events(lakehouse, START + timedelta(hours=12), 10, 100, seed=(seed := seed + 1))
            land(lakehouse.platform, events)
            fold_events(lakehouse.platform, events)
            for table in (BRONZE, EVENTS):
                [*compact(lakehouse.platform, table, Sizes(least_files=2))]
                expire(lakehouse.platform, table, datetime.now(UTC) + timedelta(days=30))

    beside = threading.Thread(target=go_on)
    beside.start()
    made = [create(lakehouse.platform, tmp_path) for _ in range(3)]
    ended.set()
    beside.join()
    assert len({backup.bytes for backup in made}) == 3
    _destroy(lakehouse)
    restore(lakehouse.platform, made[1])
    for name in lakehouse.tables():
        table = lakehouse.table(name)
        for snapshot in table.metadata.snapshots:
            table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
    assert lakehouse.increment().success, lakehouse.errors
    assert differing(lakehouse) == []


def test_what_a_restore_replaces_is_kept(lakehouse: Lakehouse, tmp_path: Path) -> None:
    made = create(lakehouse.platform, tmp_path)
    before = lakehouse.snapshots()
    add_events(lakehouse, START + timedelta(hours=12), 10, 100, seed=90)
    land(lakehouse.platform, contract("clickstream_user_events"))
    newest = lakehouse.table(BRONZE).metadata_location
    lakehouse.platform.open_catalog().close()
    done = restore(lakehouse.platform, made)
    assert lakehouse.snapshots() == before
    assert done.replaced is not None
    kept = Path(newest.removeprefix("file://")).relative_to(lakehouse.home)
    assert [(Path(done.replaced) / kept).exists(), (lakehouse.home / kept).exists()] == [True, False]
    assert lakehouse.increment().success, lakehouse.errors
    assert differing(lakehouse) == []


def test_a_damaged_backup_is_told_and_not_restored(lakehouse: Lakehouse, tmp_path: Path) -> None:
    made = create(lakehouse.platform, tmp_path)
    before = lakehouse.snapshots()
    first, second, third = [made.file(e) for e in made.entries if e.path.endswith(".parquet")][:3]
    flipped = bytearray(first.read_bytes())
    flipped[100] ^= 1
    first.write_bytes(flipped)
    second.write_bytes(b"")
    third.unlink()
    assert [told.split(" ", 1)[1].split(",")[0] for told in problems(made)] == [
        "has other content than was written",
        "has 0 bytes",
        "is missing",
    ]
    with pytest.raises(DamagedBackup, match="is missing; restore another one"):
        restore(lakehouse.platform, made)
    assert lakehouse.snapshots() == before


def test_the_job_makes_a_backup_and_keeps_as_many_as_it_is_told(lakehouse: Lakehouse) -> None:
    job = lakehouse.definitions.resolve_job_def(BACKUP)
    config = {"ops": {"make_backup": {"config": {"keep": 1}}}}
    for _ in range(2):
        assert job.execute_in_process(instance=lakehouse.instance, run_config=config).success
    [left] = backups(lakehouse.platform.backup_folder)
    assert list(problems(left)) == []
    assert [prune(lakehouse.platform.backup_folder, 0), len(backups(lakehouse.platform.backup_folder))] == [[], 1]
    [daily] = [s for s in lakehouse.definitions.schedules or () if s.name == "backup_daily"]
    assert daily.cron_schedule == "30 3 * * *"
