"""Spark 4.1.4 in a JVM of this process: pyspark from PyPI, Iceberg's runtime and S3 client from Maven Central.

Where it stops: the session is opened by the code under test; there is one for the whole process, of one catalog.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession

from . import maven
from .deployed import DEPLOY
from .java import java_home

VERSION = "1.12.0"
_ARTIFACTS = [
    f"org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:{VERSION}",
    f"org.apache.iceberg:iceberg-aws-bundle:{VERSION}",
]
_SHA256 = "a7e26cfca279a27af17cde8d9c7bb56ed2d8b6f4b5ce5db9f136150260921982"


@contextmanager
def spark(cores: int = 2) -> Iterator[dict[str, Any]]:
    """The fields of `Settings` that lead to it; the session, where one was opened, ends with the context."""
    # The JVM itself reads these.
    os.environ["SPARK_CONF_DIR"] = str(DEPLOY / "spark")
    os.environ["JAVA_HOME"] = str(java_home("Spark", 17))
    jars = maven.jars(f"spark-iceberg-{VERSION}", _ARTIFACTS, _SHA256)
    try:
        yield {"spark_master": f"local[{cores}]", "spark_jars": str(jars), "spark_driver_memory": "1g"}
    finally:
        if session := SparkSession.getActiveSession():
            session.stop()
