"""Days and messages that retention dropped: nothing is built from what is not there."""

from __future__ import annotations

import pytest

from lakehouse_assets.bronze.reland import CannotReland
from lakehouse_assets.silver.rebuild import CannotRebuild
from tests.errors import faults
from tests.errors.faults import done
from tests.errors.lake import Lake, Row, check

ROWS = [
    Row(
        "a day that is gone",
        ("materialize", "key:silver/bank_users_changes", "--from", "2026-01-05"),
        ("bank_users: day 2026-01-05 cannot be rebuilt", "the oldest day that can be rebuilt is 2026-01-07"),
        CannotRebuild,
        given=done(faults.past_retention),
    ),
    Row(
        "to backfill a day that is gone",
        ("backfill", "silver/bank_users_changes", "--from", "2026-01-05", "--to", "2026-01-08", "--yes"),
        ("bank_users: day 2026-01-05 cannot be rebuilt", "the oldest day that can be rebuilt is 2026-01-07"),
        CannotRebuild,
        given=done(faults.past_retention),
    ),
    Row(
        "to land again what is gone",
        ("reland", "bank_users", "--from", "2026-01-05", "--to", "2026-01-08"),
        ("bronze.bank_users: retention dropped the days up to 2026-01-06", "begin the window at 2026-01-07"),
        CannotReland,
        given=done(faults.past_retention),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.does)
def test_what_is_gone_is_one_line_that_says_from_when_on_it_is_there(lake: Lake, row: Row) -> None:
    check(lake, row)
