"""`lakehouse connectors reset` asks, shows and does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakehouse_assets.bronze.epochs import epochs
from lakehouse_assets.profiles import active
from tests.cli.conftest import Lakehouse
from tests.silver.lakes import take
from tests.silver.told import USERS, user


def begun() -> Any:
    return epochs(active.platform().open_catalog().load_table("bronze.bank_users"))


def test_a_dry_run_shows_epochs_and_first_offsets_and_changes_nothing(lakehouse: Lakehouse) -> None:
    take(active.platform(), USERS, [user(0, "a", "c", 1), user(0, "b", "c", 2, partition=1)])
    shown = lakehouse("connectors", "reset", "bank", "--dry-run", "--format", "json")

    assert shown.exit_code == 0
    assert [
        (each["table"], each["epoch"], each["epoch_after"], each["partition"], each["first_offset"])
        for each in json.loads(shown.stdout)
    ] == [("bank_users", 0, 1, 0, 1), ("bank_users", 0, 1, 1, 1)]
    assert begun() == []


def test_without_a_terminal_it_wants_to_be_told_yes(lakehouse: Lakehouse) -> None:
    take(active.platform(), USERS, [user(0, "a", "c", 1)])
    refused = lakehouse("connectors", "reset", "bank")
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "--yes" in refused.stderr
    assert begun() == []
    assert lakehouse("connectors", "reset", "bank", "--yes").exit_code == 0
    assert begun() == [{0: 1}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("reset", "retail"), ("'retail'", "bank, shop")),
        (("reset", "bank", "--since", "noon"), ("--since 'noon'", "times are written")),
        (("reset",), ("'source'",)),
        (("restart",), ("'restart'",)),
    ],
)
def test_what_it_cannot_take_is_one_line(
    lakehouse: Lakehouse, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    result = lakehouse("connectors", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert [text for text in said if text not in result.stderr] == []


def test_a_source_that_was_never_landed_has_no_epoch_to_end(lakehouse: Lakehouse) -> None:
    assert "was ever landed" in lakehouse("connectors", "reset", "shop", "--yes").stdout


def test_help_shows_an_example(lakehouse: Lakehouse) -> None:
    assert "Example: lakehouse connectors reset" in lakehouse("connectors", "reset", "--help").stdout


@pytest.mark.parametrize(
    "arguments", [("apply",), ("status",), ("delete", "bank", "--yes"), ("snapshot", "bank", "users")]
)
def test_of_the_embedded_profile_connectors_are_one_line(lakehouse: Lakehouse, arguments: tuple[str, ...]) -> None:
    result = lakehouse("connectors", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "LAKEHOUSE_PROFILE=stack and LAKEHOUSE_CONNECT_URL" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("apply", "retail"), "no source 'retail' has a connector; there are bank, shop"),
        (("apply", "bank"), "LAKEHOUSE_DATABASES has no address of bank"),
        (("snapshot", "bank", "loans"), "source bank has no table 'loans'; there are accounts, users"),
        (("status",), "Kafka Connect at http://127.0.0.1:1 does not answer"),
    ],
)
def test_what_connectors_cannot_take_is_one_line(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    for name, value in {
        "PROFILE": "stack",
        "CONNECT_URL": "http://127.0.0.1:1",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "CATALOG_URI": "http://127.0.0.1:1",
        "WAREHOUSE": "none",
        "CLICKHOUSE_HOST": "127.0.0.1",
    }.items():
        monkeypatch.setenv(f"LAKEHOUSE_{name}", value)
    result = lakehouse("connectors", *arguments)
    assert (result.exit_code in (1, 2), result.stdout, result.stderr.count("\n")) == (True, "", 1)
    assert said in result.stderr
