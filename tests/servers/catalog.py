"""The Iceberg REST catalog 1.11.0, Apache Iceberg's own server, which keeps its tables' heads in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from . import maven
from .deployed import variables
from .java import java_home
from .postgres import Postgres
from .s3 import S3
from .server import Server

VERSION = "1.11.0"
WAREHOUSE = "s3://lake/warehouse"
_DATABASE = "iceberg_catalog"
_JETTY = "12.1.14"
_ARTIFACTS = [
    f"org.apache.iceberg:iceberg-open-api:{VERSION}:test-fixtures",
    f"org.apache.iceberg:iceberg-core:{VERSION}",
    f"org.apache.iceberg:iceberg-core:{VERSION}:tests",
    f"org.apache.iceberg:iceberg-aws:{VERSION}",
    f"org.apache.iceberg:iceberg-aws-bundle:{VERSION}",
    "org.apache.hadoop:hadoop-client-api:3.4.2",
    "org.apache.hadoop:hadoop-client-runtime:3.4.2",
    f"org.eclipse.jetty.ee10:jetty-ee10-servlet:{_JETTY}",
    f"org.eclipse.jetty:jetty-server:{_JETTY}",
    f"org.eclipse.jetty.compression:jetty-compression-server:{_JETTY}",
    f"org.eclipse.jetty.compression:jetty-compression-gzip:{_JETTY}",
    "org.xerial:sqlite-jdbc:3.50.3.0",
    "org.postgresql:postgresql:42.7.14",
    "org.slf4j:slf4j-simple:2.0.17",
]
_SHA256 = "4195d16ff307b6c4a3154a86262239b788c097cf328c6adcadd52485752a1e61"


class RestCatalogServer(Server):
    """Its database is made where it is missing; the bucket of WAREHOUSE is the caller's."""

    name = "Iceberg catalog"

    def __init__(self, folder: Path, postgres: Postgres, s3: S3) -> None:
        super().__init__(folder)
        self._postgres = postgres
        self._s3 = s3

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> Sequence[str]:
        with self._postgres.connect("postgres") as conn, conn.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (_DATABASE,))
            is_there = cursor.fetchone()
        if not is_there:
            self._postgres.create(_DATABASE)
        jars = maven.jars(f"iceberg-catalog-{VERSION}", _ARTIFACTS, _SHA256)
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        options += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        java = java_home(self.name, 17) / "bin" / "java"
        return [str(java), *options, "-cp", f"{jars}/*", "org.apache.iceberg.rest.RESTCatalogServer"]

    def environment(self) -> Mapping[str, str]:
        return {
            **variables("catalog/catalog.env"),
            "CATALOG_REST_PORT": str(self.port),
            "CATALOG_URI": f"jdbc:postgresql://127.0.0.1:{self._postgres.port}/{_DATABASE}",
            "CATALOG_JDBC_USER": "postgres",
            "CATALOG_JDBC_PASSWORD": "trusted",
            "CATALOG_WAREHOUSE": WAREHOUSE,
            "CATALOG_S3_ENDPOINT": self._s3.endpoint,
            "AWS_ACCESS_KEY_ID": self._s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self._s3.secret_key,
            "AWS_REGION": self._s3.region,
        }

    def answers(self) -> bool:
        return requests.get(f"{self.uri}/v1/namespaces", timeout=5).ok
