"""Another server's binlog, which its transactions' own numbers tell at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.epochs import reset
from lakehouse_assets.silver.reset import SourceWasReset
from tests.operations.test_epochs import later
from tests.silver.lakes import changes, current, fold, take
from tests.silver.told import SESSIONS, session

OLD_BINLOG = [
    session(0, 1, 0, place=5000, device="old", gtid="0-1-70"),
    session(1, 2, 0, place=5100, gtid="0-1-71"),
    session(2, 3, 0, place=5200, gtid="7-1-5"),
]
NEW_BINLOG = [
    session(3, 1, 0, "u", place=400, device="new", gtid="0-2-72"),
    session(4, 2, 0, "d", place=500, gtid="0-2-73"),
]
"""Of the server that took over, right after."""


@pytest.mark.parametrize("batches", [1, 2])
def test_another_servers_binlog_is_noticed_at_once_by_its_transactions_numbers(
    platform: Platform, batches: int
) -> None:
    messages = [*OLD_BINLOG, *later(1, *NEW_BINLOG)]
    if batches == 2:
        take(platform, SESSIONS, OLD_BINLOG[:2])
        fold(platform, SESSIONS)
        messages = messages[2:]
    take(platform, SESSIONS, messages)
    said = r"shop_user_sessions: .* 0-2-72 \(topic shop.*, offset 3\) .*below the older 0-1-71 .*connectors reset shop"
    with pytest.raises(SourceWasReset, match=said):
        fold(platform, SESSIONS)

    moment = None if batches == 2 else datetime(2026, 3, 1, 1, tzinfo=UTC)
    assert [each.first_offsets for each in reset(platform, "shop", moment)] == [{0: 3}]
    fold(platform, SESSIONS)
    assert {row["id"]: row["device"] for row in current(platform, SESSIONS)} == {1: "new", 3: "web"}


def test_neither_redelivered_nor_late_transactions_nor_other_domains_are_taken_for_another_binlog(
    platform: Platform,
) -> None:
    late = session(3, 3, 0, place=4000, gtid="0-1-69")
    other = session(4, 4, 0, place=4100, gtid="9-1-800")
    again = session(5, 2, 0, place=5100, gtid="0-1-71")
    for messages in (OLD_BINLOG, [late, other], [again]):
        take(platform, SESSIONS, messages)
        fold(platform, SESSIONS)
    assert len(changes(platform, SESSIONS)) == 5
