"""The questions of `queries/` have the same answers on Trino, over S3 and the REST catalog, as on DuckDB."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakehouse_assets.engines.platform import Platform
from tests.servers.lake import Lake
from tests.test_queries import QUERIES, answers, fill

TABLES = ("bronze.bank_users", "silver.bank_users_changes", "silver.bank_accounts_changes")


def test_trino_answers_every_question_as_duckdb_does(platform: Platform, lake_with_trino: Lake) -> None:
    fill(platform)
    catalog, trino = lake_with_trino.catalog(), lake_with_trino.trino
    for name in TABLES:
        rows = platform.open_catalog().load_table(name).scan().to_arrow()
        catalog.create_namespace_if_not_exists(name.split(".")[0])
        if catalog.table_exists(name):
            catalog.drop_table(name)
        catalog.create_table(name, rows.schema).append(rows)
    assert trino is not None
    asked = {name: [_plain(row) for row in trino.rows(sql)] for name, sql in QUERIES.items()}
    assert asked == {name: [_plain(row) for row in rows] for name, rows in answers(platform).items()}


def _plain(row: Any) -> tuple[Any, ...]:
    """Times in UTC, whichever zone the client shows them in."""
    return tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)
