"""Changes of generated histories, however they were cut into batches, against the independent model."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from tests import model
from tests.scenario import calm, scenario
from tests.silver.lakes import changes, cut, differences, fold, open_platform, state, take

CAPTURED = [t.id for t in tables() if t.source.kind == "cdc"]


@pytest.mark.parametrize(("seed", "table_id"), [*enumerate(CAPTURED), (9, "bank_users")])
def test_any_batches_give_what_the_model_says(tmp_path: Path, seed: int, table_id: str) -> None:
    table = contract(table_id)
    messages = scenario(table, seed, strayed=0.1).stream.messages
    states = []
    for batches in (1, 4):
        with open_platform(tmp_path / str(batches)) as platform:
            for chunk in cut(messages, batches, seed):
                take(platform, table, chunk)
                fold(platform, table)
            assert differences(platform, table) == []
            states.append(state(platform, table))
    assert states[0] == states[1]


def test_a_calm_history_ends_with_the_generators_rows(platform: Platform) -> None:
    table = contract("shop_users")
    told = calm(table, 3).stream
    take(platform, table, told.messages)
    fold(platform, table)

    assert differences(platform, table) == []
    assert len(changes(platform, table)) == len(told.truth.changes)


def test_an_unchanged_table_makes_no_snapshot(platform: Platform) -> None:
    table = contract("bank_users")
    take(platform, table, scenario(table, 1).stream.messages)
    fold(platform, table)
    names = (schema.changes_name(table), schema.current_name(table))
    before = [platform.open_catalog().load_table(n).current_snapshot() for n in names]
    fold(platform, table)

    assert [platform.open_catalog().load_table(n).current_snapshot() for n in names] == before


def test_a_table_that_was_never_landed_folds_to_nothing(platform: Platform) -> None:
    table = contract("bank_users")
    fold(platform, table)

    assert changes(platform, table) == model.changes(model.read_home(platform.home), table.id) == []
