"""A declaration that cannot be meant is refused when it is written, by a message that says where and why."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse_assets.contracts import types
from lakehouse_assets.contracts.rules import Fits, Present, at_least, between, one_of, refers_to, unique
from lakehouse_assets.contracts.table import Column, Source, Table

SOURCE = Source("lab", "cdc", "A laboratory.", "team:lab", "lab.{table}", connector="postgresql")
ID = Column("id", types.integer, "Its number.")


def _table(**changes: Any) -> Table:
    declared: dict[str, Any] = {"source": SOURCE, "name": "probes", "description": "Probes.", "key": ("id",)}
    return Table(**{**declared, "columns": (ID,), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Probes"}, "table 'Probes' is not a name"),
        ({"key": ()}, "lab_probes: a table needs a key"),
        ({"key": ("no",)}, r"lab_probes: 'no' is not one of its columns \['id'\]"),
        ({"sort_by": ("no",)}, "lab_probes: 'no' is not one of its columns"),
        ({"partition_by": (("day", "no"),)}, "lab_probes: 'no' is not one of its columns"),
        ({"event_time": "no"}, "lab_probes: 'no' is not one of its columns"),
        ({"columns": (ID, ID)}, "lab_probes: a column is declared twice"),
        (
            {"columns": (Column("id", types.integer, "N.", nullable=True),)},
            "'id' is of the key, so it cannot be nullable",
        ),
        (
            {"columns": (Column("id", types.integer, "N.", retired=True),)},
            "'id' is of the key, so it cannot be nullable",
        ),
        ({"reject_threshold": 5}, "reject_threshold is a share of 0 to 1, got 5"),
        ({"source": Source("lab", "events", "E.", "team:lab", "e")}, "lab_probes: events need an event_time"),
    ],
)
def test_a_bad_table_is_refused_with_its_name_and_the_reason(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _table(**changes)


def test_a_source_that_is_captured_must_name_its_connector_and_no_other_may() -> None:
    with pytest.raises(ValueError, match="source lab: a cdc source, and only that, names its connector"):
        Source("lab", "cdc", "A laboratory.", "team:lab", "lab.{table}")
    with pytest.raises(ValueError, match="source lab: a cdc source, and only that, names its connector"):
        Source("lab", "files", "A laboratory.", "team:lab", "lab.{table}", connector="mysql")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: types.decimal(39, 2), "precision of 1 to 38, got 39"),
        (lambda: types.decimal(5, 6), "scale of 0 to 5, got 6"),
        (lambda: types.timestamptz(7), "precision of 0 to 6, got 7"),
        (lambda: types.varchar(0), "length of at least 1, got 0"),
        (lambda: types.LogicalType("array"), "an array, and only an array, has an element type"),
    ],
)
def test_a_type_that_no_database_has_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_types_read_as_the_source_writes_them() -> None:
    assert [str(t) for t in (types.decimal(15, 2), types.varchar(50), types.datetime(3), types.array(types.text))] == [
        "decimal(15,2)",
        "varchar(50)",
        "datetime(3)",
        "array(text)",
    ]


def test_presence_and_length_are_rules_that_nobody_has_to_write() -> None:
    column = Column("code", types.char(3), "A code.", rules=(unique(), one_of("ABC")))
    assert column.row_rules == (Present(), Fits(3), one_of("ABC"))
    assert column.table_rules == (unique(),)


def test_claims_read_as_names() -> None:
    rules = (at_least("-0.5"), between(0, 1), refers_to("users"), one_of("a"))
    assert [r.claim("x") for r in rules] == [
        "x_is_at_least_minus_0_5",
        "x_is_between_0_and_1",
        "x_refers_to_users",
        "x_is_known",
    ]
