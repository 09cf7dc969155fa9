"""`lakehouse dead-letters` and `lakehouse rejects`: listing, showing, replaying and discarding what waits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.profiles import active
from tests.cli.conftest import Lakehouse
from tests.silver.lakes import changes, current, fold, refused, take
from tests.silver.second_tries import misreading
from tests.silver.told import USERS, user

ADDRESS = "a@example.com"


@pytest.fixture
def waiting(lakehouse: Lakehouse) -> Lakehouse:
    """A user whose update is a dead letter until the decoder is mended, one message that never is valid, and a user
    whose time cannot be read."""
    messages = [
        user(0, "a", "c", 1),
        user(1, "a", "u", 2, name="renamed"),
        user(2, "a", "x", 3),
        user(3, "b", "c", 4, created_at="yesterday"),
    ]
    with misreading("renamed"):
        take(active.platform(), USERS, messages)
    fold(active.platform(), USERS)
    return lakehouse


def asked(lakehouse: Lakehouse, *arguments: str) -> Any:
    result = lakehouse(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def decisions() -> list[tuple[Any, ...]]:
    rows = active.platform().open_catalog().load_table("operations.decisions").scan().to_arrow().to_pylist()
    told = sorted(rows, key=lambda row: row["at"])
    return [(r["decision"], r["kind"], r["table"], r["state"], r["rows_decided"], r["rows_left"]) for r in told]


def test_they_are_counted_by_table_and_reason_with_the_place_of_the_first(waiting: Lakehouse) -> None:
    place = {"table": "bank_users", "topic": USERS.topic, "partition": 0, "open": 1, "discarded": 0}
    letters = asked(waiting, "dead-letters", "list")
    assert [{k: g[k] for k in (*place, "rule", "offset")} for g in letters] == [
        {**place, "rule": "op x is not one of c r u d t m", "offset": 2},
        {**place, "rule": "the value is not JSON", "offset": 1},
    ]
    (group,) = asked(waiting, "rejects", "list", "--table", "bank_users")
    assert {k: group[k] for k in (*place, "rule", "offset")} == {**place, "rule": "not_representable", "offset": 3}


@pytest.mark.parametrize(
    ("options", "offsets"),
    [
        ((), [1, 2]),
        (("--reason", "not json"), [1]),
        (("--offset", "2", "--partition", "0"), [2]),
        (("--since", "2999-01-01"), []),
        (("--until", "2020-01-01T00:00:00Z"), []),
        (("--since", "2020-01-01", "--until", "2999-01-01"), [1, 2]),
        (("--limit", "1"), [1]),
    ],
)
def test_a_filter_leaves_those_it_names(waiting: Lakehouse, options: tuple[str, ...], offsets: list[int]) -> None:
    assert [row["offset"] for row in asked(waiting, "dead-letters", "show", "bank_users", *options)] == offsets


def test_personal_data_is_masked_unless_it_is_asked_for(waiting: Lakehouse) -> None:
    for kind in ("dead-letters", "rejects"):
        assert ADDRESS not in waiting(kind, "show", "bank_users", "--format", "json").stdout
        assert ADDRESS in waiting(kind, "show", "bank_users", "--format", "json", "--unmasked").stdout
    (row,) = asked(waiting, "rejects", "show", "bank_users")
    content = json.loads(row["content"])
    assert (content["created_at"], content["email"], content["name"]) == ("yesterday", "•••", "•••")


def test_a_replay_brings_a_mended_message_to_the_current_row_once_and_is_told(waiting: Lakehouse) -> None:
    dry = waiting("dead-letters", "replay", "bank_users", "--dry-run")
    assert dry.stdout == "bank_users: 2 dead letters would be replayed\n"
    assert [row["name"] for row in current(active.platform(), USERS)] == ["A"]
    for taken, left in ((1, 1), (0, 1)):
        done = waiting("dead-letters", "replay", "bank_users")
        assert done.stdout.startswith(f"bank_users: {taken} dead letters taken, {left} stay")
        fold(active.platform(), USERS)
        assert [row["name"] for row in current(active.platform(), USERS)] == ["renamed"]
        assert sorted(row["offset"] for row in changes(active.platform(), USERS)) == [0, 1]
    told = ("replay", "dead letters", "bank_users")
    assert decisions() == [
        (*told, "begun", None, None),
        (*told, "done", 1, 1),
        (*told, "begun", None, None),
        (*told, "done", 0, 1),
    ]


def test_a_reject_that_the_contract_still_refuses_stays(waiting: Lakehouse) -> None:
    done = waiting("rejects", "replay", "bank_users", "--offset", "3")
    assert done.stdout.startswith("bank_users: 0 rejects taken, 1 stay")
    assert len(refused(active.platform(), USERS)) == 1
    assert decisions()[-1] == ("replay", "rejects", "bank_users", "done", 0, 1)


@pytest.mark.parametrize("kind", ["dead-letters", "rejects"])
def test_what_is_discarded_is_kept_and_told_and_listed_no_more(waiting: Lakehouse, kind: str) -> None:
    before = asked(waiting, kind, "list")
    assert "would be discarded" in waiting(kind, "discard", "bank_users", "--dry-run").stdout
    refusal = waiting(kind, "discard", "bank_users")
    assert (refusal.exit_code, refusal.stdout, refusal.stderr.count("\n")) == (2, "", 1)
    assert "--yes" in refusal.stderr
    assert asked(waiting, kind, "list") == before

    assert waiting(kind, "discard", "bank_users", "--yes").exit_code == 0
    assert asked(waiting, kind, "list") == []
    everything = asked(waiting, kind, "list", "--discarded")
    assert sorted(g["rule"] for g in everything) == sorted(g["rule"] for g in before)
    assert all((g["open"], g["discarded"]) == (0, 1) for g in everything)
    assert decisions()[-1][0::3] == ("discard", "done")


def test_where_nothing_waits_it_says_so(lakehouse: Lakehouse) -> None:
    assert lakehouse("dead-letters", "list").stdout == "no dead letters are open\n"
    assert lakehouse("rejects", "list", "--discarded").stdout == "no rejects\n"
    assert lakehouse("rejects", "replay", "bank_users").stdout.startswith("bank_users: 0 rejects taken")


def test_a_record_of_a_file_is_not_replayed_and_the_attempt_is_told(lakehouse: Lakehouse) -> None:
    folder = active.platform().home / "files" / "retail" / "products"
    folder.mkdir(parents=True)
    (folder / "1.csv").write_text("product_id,product_name,category,price,cost\n7,Mug\n")
    fold(active.platform(), contract("retail_products"))

    (group,) = asked(lakehouse, "dead-letters", "list")
    assert group["rule"] == "2 fields, the header has 5"
    result = lakehouse("dead-letters", "replay", "retail_products")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "retail_products: a record of a CSV file cannot be decoded again" in result.stderr
    assert decisions()[-1][3] == "failed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "bank_user"), ("'bank_user'", "bank_users")),
        (("list", "--table", "nothing"), ("'nothing'", "bank_users")),
        (("replay", "bank_users", "--since", "noon"), ("--since 'noon'", "times are written")),
        (("discard", "bank_users", "--until", "2026-13-01"), ("--until '2026-13-01'",)),
        (("show", "bank_users", "--limit", "0"), ("--limit",)),
        (("replay",), ("TABLE",)),
        (("retry",), ("'retry'", "list, show, replay, discard")),
    ],
)
@pytest.mark.parametrize("kind", ["dead-letters", "rejects"])
def test_what_it_cannot_take_is_one_line(
    lakehouse: Lakehouse, kind: str, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    result = lakehouse(kind, *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert [text for text in said if text not in result.stderr] == []


@pytest.mark.parametrize("command", ["list", "show", "replay", "discard"])
@pytest.mark.parametrize("kind", ["dead-letters", "rejects"])
def test_help_shows_an_example(lakehouse: Lakehouse, kind: str, command: str) -> None:
    shown = lakehouse(kind, command, "--help")
    assert f"Example: lakehouse {kind} {command}" in shown.stdout
