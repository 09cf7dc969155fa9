"""A backup that is not there, is damaged, or is of another lakehouse: nothing is replaced."""

from __future__ import annotations

import json

import pytest

from lakehouse_assets.operations.backup import DamagedBackup, NotEmbedded, NothingToBackUp, UnknownBackup
from lakehouse_assets.operations.restore import OtherHome
from tests.errors.faults import STACK, done
from tests.errors.lake import Lake, Row, check


def _made(lake: Lake) -> None:
    result = lake.call("backup", "create")
    assert result.exit_code == 0, result.output


def _damaged(lake: Lake) -> None:
    _made(lake)
    [catalog] = (lake.home / "backups").rglob("catalog.db")
    catalog.write_bytes(b"")


def _of_another_home(lake: Lake) -> None:
    _made(lake)
    [listed] = (lake.home / "backups").glob("*/list.json")
    listed.write_text(json.dumps({**json.loads(listed.read_text("utf-8")), "home": "/srv/lakehouse"}), "utf-8")


ROWS = [
    Row("to verify no backup", ("backup", "verify"), ("there is no backup in ", "there are none"), UnknownBackup, 2),
    Row(
        "to restore an unknown backup",
        ("backup", "restore", "yesterday", "--yes"),
        ("there is no backup 'yesterday' in ", "there are 2"),
        UnknownBackup,
        2,
        given=done(_made),
    ),
    Row("to restore without a yes", ("backup", "restore"), ("--yes", "--dry-run"), code=2, given=done(_made)),
    Row(
        "to restore a damaged backup",
        ("backup", "restore", "--yes"),
        ("is damaged: catalog.db has 0 bytes, it had", "restore another one"),
        DamagedBackup,
        given=done(_damaged),
    ),
    Row(
        "to restore another lakehouse's backup",
        ("backup", "restore", "--yes"),
        ("is of /srv/lakehouse, and goes back there: LAKEHOUSE_HOME=/srv/lakehouse",),
        OtherHome,
        2,
        given=done(_of_another_home),
    ),
    Row(
        "a backup of nothing",
        ("backup", "create", "--dry-run"),
        ("there is no lakehouse at ", "LAKEHOUSE_HOME says where it is"),
        NothingToBackUp,
        2,
        environment={"LAKEHOUSE_HOME": "nowhere"},
    ),
    Row(
        "a backup of the stack",
        ("backup", "create"),
        ("a backup is of the embedded profile", "the catalog first"),
        NotEmbedded,
        2,
        environment=STACK,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.does)
def test_a_backup_that_cannot_be_used_is_one_line_and_replaces_nothing(lake: Lake, row: Row) -> None:
    check(lake, row)
