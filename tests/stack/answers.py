"""What the engines answer about one table, as rows that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from pyiceberg.table import Table
from pyspark.sql import SparkSession

from lakehouse_assets.engines.clickhouse.sql import literal
from lakehouse_assets.engines.duckdb.session import quoted
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.engines.spark.session import CATALOG
from tests.servers.lake import Lake
from tests.servers.trino import Trino

Rows = list[dict[str, Any]]


def trino_rows(trino: Trino, identifier: str) -> Rows:
    with trino.connect() as connection:
        cursor = connection.cursor()
        cursor.execute(f"select * from {quoted(identifier)}")
        found = cursor.fetchall()
        return [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in found]


def spark_rows(spark: SparkSession, identifier: str) -> Rows:
    return spark.read.table(f"{CATALOG}.{identifier}").toArrow().to_pylist()  # type: ignore[no-any-return]


def clickhouse_rows(platform: Platform, lake: Lake, table: Table) -> Rows:
    """Exactly the handle's version, which ClickHouse reads from S3 itself."""
    folder = table.location().removeprefix("s3://")
    version = table.metadata_location.removeprefix(f"{table.location()}/")
    parts = [f"{lake.s3.endpoint}/{folder}/", lake.s3.access_key, lake.s3.secret_key]
    source = f"icebergS3({', '.join(map(literal, parts))}, SETTINGS iceberg_metadata_file_path = {literal(version)})"
    return list(platform.open_clickhouse().query_arrow(f"SELECT * FROM {source}", use_strings=True).to_pylist())


def comparable(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Sorted texts in which equal values are equal, whatever types an engine has for them."""
    return sorted(repr(sorted((name, _plain(value)) for name, value in row.items())) for row in rows)


def _plain(value: Any) -> Any:
    match value:
        case bool() | None:
            return str(value)
        case datetime():
            return (value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat()
        case date() | time():
            return value.isoformat()
        case Decimal() | int() | float():
            return str(Decimal(str(value)).normalize())
        case bytes():
            return value.decode()
        case list():
            return str([_plain(each) for each in value])
        case _:
            return str(value)
