"""What of a refused record is shown to those who may not see personal data."""

from __future__ import annotations

import json

from lakehouse_assets.contracts.bank.source import SOURCE
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.types import integer, text
from lakehouse_assets.operations.dead_letters import MASK, masked

# Before the address had its own name it was in `contact`, which says today how a person wants to be reached.
PEOPLE = Table(
    source=SOURCE,
    name="people",
    description="One row per person.",
    key=("id",),
    columns=(
        Column("id", integer, "The person's number."),
        Column("email", text, "The address.", pii=True, renamed_from="contact"),
        Column("contact", text, "letter, mail or phone."),
        Column("town", text, "Where they live.", renamed_from=("city", "place")),
    ),
)


def shown(**row: object) -> dict[str, object]:
    told = json.loads(str(masked(PEOPLE, json.dumps(row))))
    assert isinstance(told, dict)
    return told


def test_a_name_that_personal_data_ever_had_is_hidden_whichever_column_has_it_now() -> None:
    assert shown(id=1, email="a@example.com", contact="a@example.com") == {"id": 1, "email": MASK, "contact": MASK}


def test_a_column_without_personal_data_is_shown_under_each_of_its_names() -> None:
    assert shown(town="Bern", city="Basel", place="Chur") == {"town": "Bern", "city": "Basel", "place": "Chur"}


def test_what_no_column_declares_is_hidden_and_null_stays_null() -> None:
    assert shown(nickname="Al", email=None) == {"nickname": MASK, "email": None}


def test_what_is_no_row_is_hidden_whole() -> None:
    assert [masked(PEOPLE, content) for content in ("{", "[1]", b"a@example.com", None)] == [MASK, MASK, MASK, None]
