"""A lake of its own for a test: S3 with a bucket, the REST catalog on PostgreSQL and, where asked for, Trino.

Where it stops: Kafka, Connect and ClickHouse are servers of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyiceberg.catalog.rest import RestCatalog

from .catalog import WAREHOUSE, RestCatalogServer
from .postgres import Postgres
from .s3 import S3
from .trino import USER, Trino


@dataclass(frozen=True)
class Lake:
    s3: S3
    postgres: Postgres
    rest: RestCatalogServer
    trino: Trino | None = None

    def settings(self) -> dict[str, Any]:
        """The fields of `Settings` that lead to these servers."""
        fields: dict[str, Any] = {
            "catalog_uri": self.rest.uri,
            "warehouse": WAREHOUSE,
            "s3_endpoint": self.s3.endpoint,
            "s3_access_key": self.s3.access_key,
            "s3_secret_key": self.s3.secret_key,
            "s3_region": self.s3.region,
        }
        if self.trino is not None:
            fields |= {"trino_host": "127.0.0.1", "trino_port": self.trino.port, "trino_user": USER}
        return fields

    def catalog(self) -> RestCatalog:
        """As any program of PyIceberg would open it."""
        storage = {
            "s3.endpoint": self.s3.endpoint,
            "s3.access-key-id": self.s3.access_key,
            "s3.secret-access-key": self.s3.secret_key,
            "s3.region": self.s3.region,
        }
        return RestCatalog("lakehouse", uri=self.rest.uri, warehouse=WAREHOUSE, **storage)


@contextmanager
def lake(folder: Path, *, trino: bool = False, heap: str = "1200M") -> Iterator[Lake]:
    """Servers in `folder`, stopped at the end: 0.3 GB without Trino, which takes its `heap` and 0.6 GB more."""
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres(folder / "postgres"))
        s3 = stack.enter_context(S3(folder / "s3"))
        rest = stack.enter_context(RestCatalogServer(folder / "catalog", postgres, s3))
        reader = stack.enter_context(Trino(folder / "trino", rest, s3, heap=heap)) if trino else None
        yield Lake(s3, postgres, rest, reader)
