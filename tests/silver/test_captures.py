"""The folds against recordings of real databases: their changes lead to the recorded end, column by column."""

from __future__ import annotations

import pytest

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.sources.writer import copy_capture
from tests import model
from tests.recordings import SAMPLES, recorded_end
from tests.silver.lakes import current, differences, fold, with_source

CAPTURED = [t.id for t in tables() if t.source.kind == "cdc"]
DEFAULT = {"decimal": "precise", "time": "adaptive"}


@pytest.mark.parametrize("encoding", ["string", "default"])
@pytest.mark.parametrize("table_id", CAPTURED)
def test_a_recording_leads_to_the_recorded_end(platform: Platform, table_id: str, encoding: str) -> None:
    table = contract(table_id)
    table = table if encoding == "string" else with_source(table, **DEFAULT)
    copy_capture(SAMPLES / f"{table.source.name}-{encoding}", platform.home / "events")
    land(platform, table)
    fold(platform, table)

    assert model.compare(table_id, recorded_end(table_id), current(platform, table), "id") == []
    assert differences(platform, table, encoding) == []
