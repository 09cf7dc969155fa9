"""`lakehouse skip-expired` shows what is gone, asks, and gives it up."""

from __future__ import annotations

import json
from pathlib import Path

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts import registry
from lakehouse_assets.profiles import active
from tests.bronze.lander import event, write_events
from tests.cli.conftest import Lakehouse

TABLE = "clickstream_user_events"


def test_expired_messages_are_shown_and_given_up_only_with_yes(lakehouse: Lakehouse, home: Path) -> None:
    platform, contract = active.platform(), registry.table(TABLE)
    write_events(platform, [event(0)])
    assert "holds every message" in lakehouse("skip-expired", TABLE).stdout
    land(platform, contract)
    write_events(platform, [event(n) for n in range(1, 4)])
    log = home / "events" / contract.topic / "0.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[2:]))

    shown = lakehouse("skip-expired", TABLE, "--dry-run", "--format", "json")
    assert json.loads(shown.stdout) == [{"partition": 0, "first_offset": 1, "end_offset": 2}]
    refused = lakehouse("skip-expired", TABLE)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
    assert "give --yes" in refused.stderr
    assert lakehouse("skip-expired", TABLE, "--yes").exit_code == 0
    assert land(platform, contract).consumed == 2


def test_a_table_that_has_no_topic_or_is_none_is_one_line(lakehouse: Lakehouse) -> None:
    for table in ("retail_orders", "nothing"):
        result = lakehouse("skip-expired", table)
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
        assert table in result.stderr
