"""Trino 476, coordinator and worker in one, with the plugins that the project uses."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import trino
from trino.dbapi import Connection

from . import maven
from .catalog import RestCatalogServer
from .deployed import DEPLOY
from .java import java_home
from .s3 import S3
from .server import Server

VERSION = "476"
USER = "lakehouse"
_SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
# Those of PostgreSQL and MySQL need geospatial.
_PLUGINS = {"iceberg", "clickhouse", "geospatial", "mariadb", "mysql", "postgresql"}


class Trino(Server):
    """Its catalogs are `catalogs`, files of `deploy/trino/etc/catalog`; `variables` are theirs beside the lake's."""

    name = "Trino"
    patience = 180.0

    def __init__(
        self,
        folder: Path,
        catalog: RestCatalogServer,
        s3: S3,
        catalogs: Sequence[str] = ("lakehouse",),
        variables: Mapping[str, str] | None = None,
        heap: str = "1200M",
    ) -> None:
        super().__init__(folder)
        self._catalog = catalog
        self._s3 = s3
        self._catalogs = catalogs
        self._variables = dict(variables or {})
        self._heap = heap

    def prepare(self) -> Sequence[str]:
        home = maven.archive(f"trino-{VERSION}", f"io.trino:trino-server:{VERSION}:tar.gz", _SHA256, _only_needed)
        etc = self.folder / "etc"
        if not etc.exists():
            shutil.copytree(DEPLOY / "trino" / "etc", etc, ignore=shutil.ignore_patterns("catalog"))
            (etc / "catalog").mkdir()
            for name in self._catalogs:
                shutil.copy(DEPLOY / "trino" / "etc" / "catalog" / f"{name}.properties", etc / "catalog")
        launcher = home / f"trino-server-{VERSION}" / "bin" / "launcher"
        return [str(launcher), "run", f"--etc-dir={etc}", f"--data-dir={self.folder / 'data'}"]

    def environment(self) -> Mapping[str, str]:
        home = java_home(self.name, 24)
        return {
            "JAVA_HOME": str(home),
            "JDK_JAVA_OPTIONS": f"-Xmx{self._heap}",
            "TRINO_PORT": str(self.port),
            "TRINO_QUERY_MEMORY": "400MB",
            "CATALOG_URI": self._catalog.uri,
            "S3_ENDPOINT": self._s3.endpoint,
            "S3_REGION": self._s3.region,
            "S3_ACCESS_KEY": self._s3.access_key,
            "S3_SECRET_KEY": self._s3.secret_key,
            **self._variables,
        }

    def connect(self, catalog: str = "lakehouse", **options: Any) -> Connection:
        return trino.dbapi.connect(host="127.0.0.1", port=self.port, user=USER, catalog=catalog, **options)

    def rows(self, sql: str, catalog: str = "lakehouse") -> list[Any]:
        with self.connect(catalog) as connection:
            return list(connection.cursor().execute(sql).fetchall())

    def answers(self) -> bool:
        return self.rows("select 1") == [[1]]


def _only_needed(folder: Path) -> None:
    """800 MB become 500: most of Trino is the plugins of other systems."""
    for plugin in (folder / f"trino-server-{VERSION}" / "plugin").iterdir():
        if plugin.name not in _PLUGINS:
            shutil.rmtree(plugin)
