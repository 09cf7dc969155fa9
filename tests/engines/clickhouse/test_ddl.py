"""The CREATE TABLE statement of a mart."""

from __future__ import annotations

from typing import Any

import pytest
from pyiceberg import types as iceberg
from pyiceberg.schema import Schema

from lakehouse_assets.engines.clickhouse.ddl import (
    InvalidTarget,
    column_type,
    columns,
    create_mysql_table,
    create_table,
    gold_table,
)

SCHEMA = Schema(
    iceberg.NestedField(1, "event_date", iceberg.DateType(), required=False),
    iceberg.NestedField(2, "page", iceberg.StringType(), required=True),
    iceberg.NestedField(3, "amount", iceberg.DecimalType(18, 2), required=False),
    iceberg.NestedField(4, "rate", iceberg.DoubleType(), required=False),
    iceberg.NestedField(5, "is_deleted", iceberg.BooleanType(), required=True),
    iceberg.NestedField(6, "events", iceberg.LongType(), required=True),
    iceberg.NestedField(7, "stock", iceberg.IntegerType(), required=False),
    iceberg.NestedField(8, "seen_at", iceberg.TimestampType(), required=False),
    iceberg.NestedField(9, "updated_at", iceberg.TimestamptzType(), required=False),
)
META = {
    "engine": "ReplacingMergeTree(updated_at)",
    "order_by": ["event_date", "page"],
    "partition_by": "toYYYYMM(event_date)",
}


def test_the_statement_holds_engine_months_order_and_comment() -> None:
    assert create_table("gold", gold_table("visits", META), SCHEMA, comment="it's") == (
        "CREATE TABLE `gold`.`visits` (`event_date` Date32, `page` String, `amount` Nullable(Decimal(18, 2)),"
        " `rate` Nullable(Float64), `is_deleted` Bool, `events` Int64, `stock` Nullable(Int32),"
        " `seen_at` Nullable(DateTime64(6)), `updated_at` DateTime64(6, 'UTC'))"
        " ENGINE = ReplacingMergeTree(`updated_at`) PARTITION BY toYYYYMM(`event_date`)"
        r" ORDER BY (`event_date`, `page`) COMMENT 'it\'s'"
    )


def test_a_mart_without_months_has_no_partition() -> None:
    target = gold_table("latest", {"engine": "MergeTree", "order_by": ["page"], "partition_by": None})
    assert "PARTITION BY" not in create_table("gold", target, SCHEMA)
    assert target.month_of is None


@pytest.mark.parametrize(
    "meta",
    [
        {**META, "engine": "Memory"},
        {**META, "engine": "URL('http://x', CSV)"},
        {**META, "engine": "ReplacingMergeTree(a) SETTINGS x = 1"},
        {**META, "order_by": ["page) SETTINGS x=1 --"]},
        {**META, "order_by": []},
        {**META, "partition_by": "toYear(event_date)"},
        {**META, "partition_by": "event_date"},
    ],
)
def test_what_is_not_on_the_list_is_refused(meta: dict[str, Any]) -> None:
    with pytest.raises(InvalidTarget):
        gold_table("visits", meta)


def test_a_name_that_is_not_one_is_refused() -> None:
    with pytest.raises(InvalidTarget):
        gold_table("visits`; DROP TABLE x", META)


def test_an_order_column_that_the_mart_lacks_is_named() -> None:
    with pytest.raises(InvalidTarget, match="nothing"):
        columns(gold_table("visits", {**META, "order_by": ["nothing"]}), SCHEMA)


def test_a_type_without_a_clickhouse_column_is_named() -> None:
    schema = Schema(iceberg.NestedField(1, "page", iceberg.TimeType(), required=True))
    with pytest.raises(InvalidTarget, match="page"):
        columns(gold_table("visits", {"order_by": ["page"]}), schema)


def test_bytes_and_lists_have_their_forms_and_a_list_is_never_null() -> None:
    assert column_type(iceberg.BinaryType(), nullable=False) == "String"
    assert column_type(iceberg.ListType(1, iceberg.LongType(), element_required=True), nullable=True) == "Array(Int64)"
    texts = iceberg.ListType(1, iceberg.StringType(), element_required=False)
    assert column_type(iceberg.ListType(2, texts, element_required=False), True) == "Array(Array(Nullable(String)))"


def test_a_live_table_names_a_collection_and_no_password() -> None:
    assert create_mysql_table("gold", "live_users", {"id": "Int32"}, "shop", "user's") == (
        "CREATE OR REPLACE TABLE `gold`.`live_users` (`id` Int32) ENGINE = MySQL(`shop`, table = 'user\\'s')"
    )
