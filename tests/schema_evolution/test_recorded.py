"""Tables that PostgreSQL and MariaDB really changed, as Debezium told of it: silver ends with the rows of the database.

Each is folded first under the contract of before, which is the live case, then rebuilt under the one that followed.
Where it stops: a table that was renamed, and a column that was dropped and made again under its name, cannot be told
from new ones; both need a new snapshot of the table.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.table import Column, Source, Table
from lakehouse_assets.contracts.types import LogicalType, bigint, decimal, double, integer, real, varchar
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.rebuild import rebuild_changes
from lakehouse_assets.sources.writer import copy_capture
from tests.captures.recorded import HERE, truth
from tests.schema_evolution.cells import SOURCES
from tests.silver.lakes import current, fold, open_platform, refused

DAYS = (date(2026, 1, 1), date(2027, 12, 31))
"""The recordings lie somewhere between."""


def _column(name: str, kind: LogicalType, **settings: Any) -> Column:
    return Column(name, kind, "Recorded.", nullable=True, **settings)


def _replaced(old: LogicalType, new: LogicalType) -> tuple[Column, ...]:
    return _column("c", old, retired=True), _column("c_new", new, renamed_from="c")


C = (_column("c", integer),)
TABLES: dict[str, tuple[tuple[Column, ...], tuple[Column, ...]]] = {
    "add_nullable": (C, (*C, _column("d", decimal(8, 2)))),
    "add_default": (C, (*C, _column("d", varchar(20), default="it's new"))),
    "drop_column": ((*C, _column("d", integer)), (_column("c", integer, retired=True), _column("d", integer))),
    "rename_column": (C, (_column("d", integer, renamed_from="c"),)),
    "widen_int": (C, (_column("c", bigint),)),
    "widen_float": ((_column("c", real),), (_column("c", double),)),
    "widen_decimal": ((_column("c", decimal(8, 2)),), (_column("c", decimal(14, 2)),)),
    "widen_scale": ((_column("c", decimal(8, 2)),), _replaced(decimal(8, 2), decimal(12, 4))),
    "widen_text": ((_column("c", varchar(5)),), (_column("c", varchar(50)),)),
    "narrow_int": ((_column("c", bigint),),) * 2,
    "narrow_decimal": ((_column("c", decimal(14, 4)),),) * 2,
    "narrow_text": ((_column("c", varchar(50)),),) * 2,
    "text_to_int": ((_column("c", varchar(20)),),) * 2,
    "int_to_text": (C, _replaced(integer, varchar(20))),
    "new_table": (C, C),
    "dropped_table": (C, C),
}
"""The columns beside `id` and `v`, before and after. A type that holds both stays."""


@pytest.fixture(scope="module", params=SOURCES)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, ...]]:
    """The platform, the recording's folder and its source."""
    database = "postgres" if request.param == "postgresql" else "mariadb"
    recording = HERE / f"evolution_{database}"
    prefix = "public" if database == "postgres" else f"evolution_{database}"
    source = replace(SOURCES[request.param], topic=f"evolution_{database}.envelope.{prefix}.{{table}}")
    with open_platform(tmp_path_factory.mktemp(database)) as platform:
        copy_capture(recording / "envelope", platform.home / "events")
        yield platform, recording, source


@pytest.mark.parametrize("name", TABLES)
def test_a_recorded_evolution_ends_with_the_rows_of_the_database(
    recorded: tuple[Platform, Path, Source], name: str
) -> None:
    platform, recording, source = recorded
    before, after = (_contract(source, name, columns) for columns in TABLES[name])
    land(platform, before)
    fold(platform, before)
    if after != before:
        rebuild_changes(platform, after, *DAYS)
        fold_current(platform, after)

    expected = {int(row["id"] or 0): row for row in truth(recording, name)}
    held = {row["id"]: row for row in current(platform, after)}
    assert held.keys() == expected.keys()
    assert refused(platform, after) == []
    for column in (c.name for c in after.live_columns):
        told = [(held[key][column], row[column.removesuffix("_new")]) for key, row in expected.items()]
        assert [pair for pair in told if not _same(*pair)] == [], column


def _contract(source: Source, name: str, columns: tuple[Column, ...]) -> Table:
    keys = (Column("id", integer, "The key."), Column("v", varchar(20), "When it was written."))
    return Table(source, name, "Recorded.", ("id",), (*keys, *columns))


def _same(held: object, told: str | None) -> bool:
    """A float that was told as a real is rebuilt as the double of the same digits, unlike by the database's cast."""
    match held, told:
        case float(), str():
            return struct.pack("f", held) == struct.pack("f", float(told))
        case int() | Decimal(), str():
            return Decimal(held) == Decimal(told)
    return held == told
