"""The version that ClickHouse reads, by where the warehouse lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.engines.clickhouse.source import UnreachableStorage, table_function
from lakehouse_assets.engines.iceberg.tables import ensure
from tests.bronze.lander import EVENTS


def lying_at(lake: Catalog, location: str) -> Table:
    table = ensure(lake, replace(spec(EVENTS), identifier="marts.visits"))
    table.metadata = table.metadata.model_copy(update={"location": location})
    table.metadata_location = f"{location}/metadata/00003-a.metadata.json"
    return table


def test_a_mart_in_s3_is_read_with_the_servers_own_login(lake: Catalog, tmp_path: Path) -> None:
    assert table_function(lying_at(lake, "s3://lake/warehouse/marts/visits"), tmp_path) == (
        "icebergS3(lake, filename = 'warehouse/marts/visits/',"
        " SETTINGS iceberg_metadata_file_path = 'metadata/00003-a.metadata.json')"
    )


@pytest.mark.parametrize("location", ["gs://lake/marts/visits", "file:///elsewhere/marts/visits"])
def test_a_mart_that_clickhouse_cannot_reach_is_refused(lake: Catalog, tmp_path: Path, location: str) -> None:
    with pytest.raises(UnreachableStorage, match="visits"):
        table_function(lying_at(lake, location), tmp_path)
