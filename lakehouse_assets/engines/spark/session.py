"""Spark's session of this process: it maintains the catalog's Iceberg tables and runs our functions on its executors.

What all sessions have alike is in `deploy/spark/spark-defaults.conf`, which Spark finds by SPARK_CONF_DIR.
Where it stops: addresses, memory and keys are the profile's; what is run is the callers'.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakehouse_assets.mendable import Mendable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CATALOG = "lakehouse"
"""The tables' catalog in Spark's SQL."""


class NoSpark(Mendable):
    """The profile has no Spark, or it does not start."""


def open_session(options: Mapping[str, str], secrets: Mapping[str, str]) -> SparkSession:
    """`options` are what its JVM starts with; `secrets` are options that are told to it when it runs, because those it
    starts with stand in the list of processes. Raises NoSpark."""
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise NoSpark("Spark is not installed: install the extra `stack`") from error
    builder = SparkSession.builder.appName("lakehouse")
    for name, value in options.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise NoSpark(f"Spark at {options.get('spark.master')} does not start: {error}") from error
    # A worker is the same Python with the same packages; Spark's own choice is the `python3` of the PATH.
    if options.get("spark.master", "").startswith("local"):
        session.sparkContext.pythonExec = sys.executable
    for name, value in secrets.items():
        session.conf.set(name, value)
    return session
