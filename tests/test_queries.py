"""The questions of `queries/`, on DuckDB: each is one SELECT, and counts what the recorded bank did."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.registry import table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.query import ask
from lakehouse_assets.sources.writer import copy_capture
from tests.recordings import SAMPLES, recorded_end
from tests.silver.lakes import changes, fold

QUERIES = {path.stem: path.read_text() for path in Path(__file__).parents[1].joinpath("queries").glob("*.sql")}


def fill(platform: Platform) -> None:
    """The bank's recording in bronze and silver."""
    copy_capture(SAMPLES / "bank-string", platform.home / "events")
    for name in ("bank_users", "bank_accounts"):
        land(platform, table(name))
        fold(platform, table(name))


def answers(platform: Platform) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every question, by its name."""
    found = {}
    for name, sql in QUERIES.items():
        with ask(platform, sql) as answer:
            found[name] = list(answer.rows)
    return found


def test_every_question_is_answered_as_the_recorded_bank_says(platform: Platform) -> None:
    fill(platform)
    told = answers(platform)
    users = changes(platform, table("bank_users"))
    ops = Counter(row["op"] for row in users)
    assert told.keys() == QUERIES.keys()
    landed = platform.open_catalog().load_table("bronze.bank_users").scan(selected_fields=("op",)).to_arrow()
    assert dict(told["operations_by_type"]) == Counter(landed["op"].to_pylist())
    by_day = Counter((row["change_date"], row["op"]) for row in users)
    assert {(day, op): n for day, op, n in told["operations_by_day"]} == by_day
    assert [sum(row[place] for row in told["user_growth"]) for place in (1, 2, 3)] == [ops["c"], ops["u"], ops["d"]]
    newest = sorted(users, key=lambda row: row["change_position"], reverse=True)[:5]
    assert [row[0] for row in told["newest_changes"]] == [row["op"] for row in newest]
    balances = {account: balance for account, balance, _ in told["latest_balances"]}
    held = {row["id"]: row["balance"] for row in recorded_end("bank_accounts")}
    assert held
    assert {account: balances[account] for account in held} == held
