"""A row that a fold loses is missing in the accounts, until a rebuild of its day brings it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from types import ModuleType
from typing import Any

import pytest

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import fold_changes, fold_events, fold_files, schema
from lakehouse_assets.silver.checks import accounted
from lakehouse_assets.silver.rebuild import rebuild_changes, rebuild_events
from lakehouse_assets.sources.files import write_delivery
from tests.scenario import events, retail, scenario
from tests.silver.lakes import cut, differences, fold, take

USERS, EVENTS, ORDERS = contract("bank_users"), contract("clickstream_user_events"), contract("retail_orders")
FIRST, LAST = date(2020, 1, 1), datetime.max.date().replace(year=2035)
LOSSES = {
    "a change that is no redelivery": (USERS, fold_changes, "first_deliveries_sql", "fresh"),
    "an event that is no copy": (EVENTS, fold_events, "first_of_each_sql", "fresh"),
    "an event that is not read": (EVENTS, fold_events, "REFUSED_SQL", "staged"),
    "a row of a file": (ORDERS, fold_files, "_staged_sql", "staged"),
}


def _deliver(platform: Platform, table: Table) -> Iterator[None]:
    """In three parts, with redeliveries, copies and older versions among them."""
    if table.source.kind == "files":
        for delivery in retail(4, increments=2).deliveries:
            write_delivery(platform.home / "files", delivery)
            yield
    else:
        messages = scenario(table, 3).stream.messages if table is USERS else events(3).messages
        for chunk in cut(messages, 3, 3):
            take(platform, table, chunk)
            yield


@contextmanager
def _losing(module: ModuleType, name: str, relation: str) -> Iterator[None]:
    """The SQL of one step of the fold, which then forgets a row of what it made."""
    real: Any = getattr(module, name)
    lost = f';delete from {relation} where "offset" = (select max("offset") from {relation})'
    with pytest.MonkeyPatch.context() as patch:
        made: str | Callable[[Table], str] = real + lost if isinstance(real, str) else lambda table: real(table) + lost
        patch.setattr(module, name, made)
        yield


def _balances(platform: Platform, table: Table) -> bool:
    return bool(accounted(platform.open_catalog().load_table(schema.folded_name(table))).passed)


@pytest.mark.parametrize("case", LOSSES)
def test_a_fold_that_loses_a_row_fails_the_check(platform: Platform, case: str) -> None:
    table, module, name, relation = LOSSES[case]
    delivered = _deliver(platform, table)
    next(delivered)
    fold(platform, table)
    assert _balances(platform, table)
    next(delivered)
    with _losing(module, name, relation):
        fold(platform, table)
    assert not _balances(platform, table)


@pytest.mark.parametrize(("table", "rebuild"), [(USERS, rebuild_changes), (EVENTS, rebuild_events)])
def test_a_rebuild_that_loses_a_row_fails_the_check_and_one_that_brings_it_back_passes(
    platform: Platform, table: Table, rebuild: Callable[..., object]
) -> None:
    for _ in _deliver(platform, table):
        fold(platform, table)
    [(module, name, relation)] = [loss[1:] for loss in LOSSES.values() if loss[0] is table][:1]
    with _losing(module, name, relation):
        rebuild(platform, table, FIRST, LAST)
    assert not _balances(platform, table)
    rebuild(platform, table, FIRST, LAST)
    assert _balances(platform, table)
    fold(platform, table)
    assert differences(platform, table) == []
