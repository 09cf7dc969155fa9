"""Spark where there is none, and settings that ask for it."""

from __future__ import annotations

import sys

import pytest

from lakehouse_assets.engines.spark.session import NoSpark, open_session
from lakehouse_assets.profiles.active import InvalidSetting, settings_from

STACK = {
    "LAKEHOUSE_PROFILE": "stack",
    "LAKEHOUSE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "LAKEHOUSE_CATALOG_URI": "http://catalog:8181",
    "LAKEHOUSE_WAREHOUSE": "s3://lake/warehouse",
    "LAKEHOUSE_CLICKHOUSE_HOST": "clickhouse",
}


def test_without_the_extra_spark_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(NoSpark, match="install the extra `stack`"):
        open_session({"spark.master": "local[1]"}, {})


@pytest.mark.parametrize("setting", ["LAKEHOUSE_REFINE_ENGINE", "LAKEHOUSE_MAINTENANCE_ENGINE"])
def test_an_engine_spark_needs_a_master_its_jars_and_the_profile_with_servers(setting: str) -> None:
    with pytest.raises(InvalidSetting, match="LAKEHOUSE_SPARK_MASTER, LAKEHOUSE_SPARK_JARS must be set too"):
        settings_from({**STACK, setting: "spark"})
    with pytest.raises(InvalidSetting, match="Spark is of the profile stack"):
        settings_from({setting: "spark"})
    told = {"LAKEHOUSE_SPARK_MASTER": "spark://spark:7077", "LAKEHOUSE_SPARK_JARS": "/opt/spark-jars"}
    assert settings_from({**STACK, **told, setting: "spark"}).spark_cores == 2
