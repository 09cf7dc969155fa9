"""What bronze lost of a window is landed again once, wherever silver was, and what is there is left."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from lakehouse_assets.bronze.land import state as landing
from lakehouse_assets.bronze.reland import CannotReland, Relanded, reland
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, commit
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.sources.messages import Message
from tests.bronze.lander import places
from tests.scenario import scenario
from tests.silver.contradictions import contradicted_events
from tests.silver.lakes import cut, differences, fold, take, unbalanced

LONG_AGO, TO_COME = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def _told(name: str) -> Sequence[Message]:
    table = contract(name)
    return scenario(table, 1).stream.messages if table.source.kind == "cdc" else contradicted_events(1)


def _lose(platform: Platform, name: str, condition: str) -> int:
    """How many rows another engine deleted."""
    bronze = platform.open_catalog().load_table(f"bronze.{name}")
    before = bronze.scan().to_arrow().num_rows
    bronze.delete(condition)
    return before - bronze.refresh().scan().to_arrow().num_rows


@pytest.mark.parametrize("name", ["bank_users", "clickstream_user_events"])
def test_what_bronze_lost_before_or_after_it_was_folded_is_landed_again_once(platform: Platform, name: str) -> None:
    table = contract(name)
    first, second = cut(_told(name), 2, 1)
    take(platform, table, first)
    fold(platform, table)
    take(platform, table, second)
    whole = sorted(places(platform, table))
    offsets = landing(platform.open_catalog().load_table(f"bronze.{name}")).offsets
    lost = _lose(platform, name, '"offset" >= 3 and "offset" < 40 and error is null')
    fold(platform, table)
    assert reland(platform, table, LONG_AGO, TO_COME, dry_run=True) == Relanded(len(whole), lost)
    assert len(places(platform, table)) == len(whole) - lost < len(whole)
    assert reland(platform, table, LONG_AGO, TO_COME) == Relanded(len(whole), lost)
    assert sorted(places(platform, table)) == whole
    assert reland(platform, table, LONG_AGO, TO_COME).missing == 0
    assert landing(platform.open_catalog().load_table(f"bronze.{name}")).offsets == offsets
    fold(platform, table)
    assert (differences(platform, table), unbalanced(platform, table)) == ([], [])


def test_nothing_outside_the_window_is_landed(platform: Platform) -> None:
    table = contract("bank_users")
    take(platform, table, _told("bank_users"))
    stamps = sorted(m.timestamp_ms for m in _told("bank_users"))
    half = stamps[len(stamps) // 2]
    middle = datetime.fromtimestamp(half / 1000, UTC)
    _lose(platform, "bank_users", "true")
    early, late = (
        sum(s < stamps[len(stamps) // 2] for s in stamps),
        sum(s >= stamps[len(stamps) // 2] for s in stamps),
    )
    assert reland(platform, table, LONG_AGO, middle) == Relanded(early, early)
    assert reland(platform, table, middle, TO_COME) == Relanded(late, late)


def test_two_that_race_land_each_message_once(platform: Platform) -> None:
    table = contract("bank_users")
    take(platform, table, _told("bank_users"))
    whole = sorted(places(platform, table))
    _lose(platform, "bank_users", '"offset" < 20')
    both = [threading.Thread(target=reland, args=(platform, table, LONG_AGO, TO_COME)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(places(platform, table)) == whole


def test_what_retention_dropped_is_not_landed_again(platform: Platform) -> None:
    table = contract("bank_users")
    take(platform, table, _told("bank_users"))
    commit(platform.open_catalog().load_table("bronze.bank_users"), summary={DROPPED_THROUGH: "2026-01-06"})
    with pytest.raises(CannotReland, match=r"days up to 2026-01-06, .* begin the window at 2026-01-07 or later"):
        reland(platform, table, datetime(2026, 1, 6, tzinfo=UTC), TO_COME)
    assert reland(platform, table, datetime(2026, 1, 7, tzinfo=UTC), TO_COME + timedelta(days=1)).missing == 0
