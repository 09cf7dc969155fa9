"""What fails stops what is below it, as long as it fails, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta

from lakehouse_assets.engines.iceberg.commit import commit, marks
from tests.end_to_end.lakehouse import Lakehouse
from tests.operations.conftest import START, add_events

SILVER = "silver.clickstream_user_events"


def _days(lakehouse: Lakehouse) -> set[date]:
    return {row["event_date"] for row in lakehouse.rows("marts.daily_active_users")}


def _add_day(lakehouse: Lakehouse, after: int) -> date:
    moment = START + timedelta(days=after, hours=12)
    add_events(lakehouse, moment, 5, 10_000, seed=after)
    return moment.date()


def _count(lakehouse: Lakehouse, **more: int) -> None:
    """Adds to the counts that the table's newest commit states."""
    silver = lakehouse.platform.open_catalog().load_table(SILVER)
    known = marks(silver)
    stated = {f"lakehouse.rows-{name}": by for name, by in more.items()}
    summary = {name: str(int(known[name]) + by) for name, by in stated.items()}
    commit(silver, summary={**summary, "lakehouse.days": "[]"})


def test_a_source_that_fails_does_not_stop_the_days_of_another(lakehouse: Lakehouse) -> None:
    day = _add_day(lakehouse, 60)
    log = lakehouse.home / "events" / "bank.public.users" / "0.jsonl"
    size = log.stat().st_size
    with log.open("ab") as file:
        file.write(b"{ this is no message\n")
    done = lakehouse.increment()
    with log.open("r+b") as file:
        file.truncate(size)
    assert (done.success, done.failed) == (False, ("land_bank_users",))
    assert day in _days(lakehouse)


def test_days_wait_as_long_as_a_blocking_check_above_them_fails(lakehouse: Lakehouse) -> None:
    _count(lakehouse, out=1)
    day = _add_day(lakehouse, 70)
    for _ in range(2):
        done = lakehouse.increment()
        assert not done.success
        assert done.failed_checks == ("silver/clickstream_user_events: every_row_is_accounted",)
        assert day not in _days(lakehouse)
    _count(lakehouse, out=-1)
    assert lakehouse.increment().success
    assert day in _days(lakehouse)
