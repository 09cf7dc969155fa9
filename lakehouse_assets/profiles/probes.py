"""What each profile needs to be true of its services, in the order in which one would look, each with what to do.

Where it stops: it looks at nothing by itself; what is asked is the engines'.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from clickhouse_connect.driver.client import Client
from pyiceberg.catalog import Catalog

from lakehouse_assets.contracts.registry import sources, tables
from lakehouse_assets.engines.clickhouse import probe as clickhouse
from lakehouse_assets.engines.connect import probe as connector
from lakehouse_assets.engines.connect.client import ConnectClient
from lakehouse_assets.engines.connect.database import Database
from lakehouse_assets.engines.iceberg.storage_probe import writable
from lakehouse_assets.engines.log import kafka_probe
from lakehouse_assets.engines.log.log import EventLog
from lakehouse_assets.engines.probe import Probe, tcp
from lakehouse_assets.engines.trino import Trino
from lakehouse_assets.profiles.settings import Settings

LEAST_FREE_BYTES = 500_000_000
TRINO_CATALOG = "lakehouse"
_CLICKHOUSE_LOG = "see clickhouse/owner.log in LAKEHOUSE_HOME; `make install` puts chDB back where it is missing"


class NoSpace(OSError):
    """The disk is nearly full."""


def embedded(
    home: Path, log: EventLog, open_catalog: Callable[[], Catalog], open_clickhouse: Callable[[], Client]
) -> tuple[Probe, ...]:
    """Of the profile without a server."""

    def find_log() -> str:
        log.check()
        return "is a folder"

    return (
        Probe("home", "can_be_written", lambda: _home(home), "give this user the folder, or set LAKEHOUSE_HOME"),
        Probe("home", "has_space_left", lambda: _space(home), "make room, or `lakehouse maintain all`"),
        Probe("event log", "is_there", find_log, "`lakehouse demo` fills every source"),
        # A run learns it of each topic as it lands it: one that is damaged does not stop the others.
        Probe(
            "event log",
            "can_be_read",
            lambda: f"{sum(bool(log.bounds(topic)) for topic in _topics())} topics",
            "mend or remove the line",
            for_runs=False,
        ),
        Probe(
            "catalog",
            "namespaces_can_be_listed",
            lambda: _namespaces(open_catalog),
            "catalog.db in LAKEHOUSE_HOME is no SQLite database of this catalog: put a copy of it back",
        ),
        Probe("ClickHouse", "answers", lambda: clickhouse.version(open_clickhouse()), _CLICKHOUSE_LOG),
        Probe("ClickHouse", "may_publish", lambda: clickhouse.may_publish(open_clickhouse()), _CLICKHOUSE_LOG),
    )


def stack(
    settings: Settings,
    kafka: dict[str, str],
    catalog: dict[str, str],
    open_catalog: Callable[[], Catalog],
    open_clickhouse: Callable[[], Client],
) -> tuple[Probe, ...]:
    """Of the profile with servers. Connect is looked at where its address is set."""
    return (
        *_kafka(settings, kafka),
        *(_connect(settings.connect_url, settings.databases) if settings.connect_url else ()),
        *_storage(settings, catalog),
        *_catalog(settings, open_catalog),
        *_trino(settings),
        *_clickhouse(settings, open_clickhouse),
    )


def _kafka(settings: Settings, kafka: dict[str, str]) -> tuple[Probe, ...]:
    first = (settings.kafka_bootstrap_servers or "").split(",")[0]
    host, _, port = first.rpartition(":")
    return (
        Probe(
            "Kafka",
            "is_reachable",
            lambda: tcp(host or first, int(port) if host else 9092),
            "start it, or set LAKEHOUSE_KAFKA_BOOTSTRAP_SERVERS",
        ),
        Probe(
            "Kafka",
            "takes_the_login",
            lambda: kafka_probe.login(kafka),
            "set LAKEHOUSE_KAFKA_SECURITY_PROTOCOL, _SASL_MECHANISM, _SASL_USERNAME and _SASL_PASSWORD as its listener"
            " wants them",
        ),
        Probe(
            "Kafka",
            "topics_exist",
            lambda: kafka_probe.topics(kafka, _topics()),
            "create them, or let their connector do it, and let this user describe them",
            for_runs=False,
        ),
        Probe(
            "Kafka",
            "topics_can_be_read",
            lambda: kafka_probe.readable(kafka, _topics()),
            "grant this user Read and Describe on them",
            for_runs=False,
        ),
    )


def _connect(url: str, databases: Mapping[str, Database]) -> Iterator[Probe]:
    """A run does without them: it lands what the topics hold."""
    connect = ConnectClient(url)
    reach = partial(_reached, url)
    yield Probe("Kafka Connect", "is_reachable", reach, "start it, or set LAKEHOUSE_CONNECT_URL", for_runs=False)
    for source in (s for s in sources() if s.kind == "cdc"):
        yield Probe(
            f"connector {source.name}",
            "runs",
            partial(connector.running, connect, source),
            f"`lakehouse connectors apply {source.name}` makes what is missing; restart a failed task when its cause"
            " is gone",
            for_runs=False,
        )
        if source.name in databases:
            yield Probe(
                f"connector {source.name}",
                "holds_its_place",
                partial(connector.place_is_held, source, databases[source.name]),
                "start the database, or set its address in LAKEHOUSE_DATABASES; where the slot was lost: `lakehouse"
                f" connectors delete {source.name}`, then apply",
                for_runs=False,
            )


def _storage(settings: Settings, catalog: dict[str, str]) -> tuple[Probe, ...]:
    endpoint, warehouse = settings.s3_endpoint or "", settings.warehouse or ""
    reachable = Probe("S3", "is_reachable", lambda: _reached(endpoint), "start it, or set LAKEHOUSE_S3_ENDPOINT")
    bucket = Probe(
        "S3",
        "bucket_can_be_written",
        lambda: writable(catalog, warehouse),
        "create the bucket of LAKEHOUSE_WAREHOUSE; set LAKEHOUSE_S3_ACCESS_KEY and _SECRET_KEY of who may read, write"
        " and delete in it",
    )
    return (reachable, bucket) if endpoint else (bucket,)


def _catalog(settings: Settings, open_catalog: Callable[[], Catalog]) -> tuple[Probe, ...]:
    return (
        Probe(
            "catalog",
            "is_reachable",
            lambda: _reached(settings.catalog_uri or ""),
            "start it, or set LAKEHOUSE_CATALOG_URI",
        ),
        Probe(
            "catalog",
            "namespaces_can_be_listed",
            lambda: _namespaces(open_catalog),
            "set LAKEHOUSE_CATALOG_CREDENTIAL and LAKEHOUSE_WAREHOUSE as the catalog wants them",
        ),
    )


def _trino(settings: Settings) -> tuple[Probe, ...]:
    host, port, password = settings.trino_host, settings.trino_port, settings.trino_password
    server = Trino(
        host,
        port,
        settings.trino_user,
        settings.trino_scheme,
        password.get_secret_value() if password else None,
        settings.trino_ca_location,
    )
    return (
        Probe("Trino", "is_reachable", lambda: tcp(host, port), "start it, or set LAKEHOUSE_TRINO_HOST and _PORT"),
        Probe("Trino", "has_started", server.version, "wait for it, or set LAKEHOUSE_TRINO_SCHEME and _CA_LOCATION"),
        Probe(
            "Trino",
            "has_the_catalogs",
            lambda: server.catalogs([TRINO_CATALOG]),
            f"put {TRINO_CATALOG}.properties into its etc/catalog, and let LAKEHOUSE_TRINO_USER see it",
        ),
    )


def _clickhouse(settings: Settings, open_clickhouse: Callable[[], Client]) -> tuple[Probe, ...]:
    host, port = settings.clickhouse_host or "", settings.clickhouse_port
    return (
        Probe(
            "ClickHouse",
            "is_reachable",
            lambda: tcp(host, port),
            "start it, or set LAKEHOUSE_CLICKHOUSE_HOST and _PORT",
        ),
        Probe(
            "ClickHouse",
            "takes_the_login",
            lambda: clickhouse.version(open_clickhouse()),
            "set LAKEHOUSE_CLICKHOUSE_USER, _PASSWORD and _SECURE as its users and listener want them",
        ),
        Probe(
            "ClickHouse",
            "may_publish",
            lambda: clickhouse.may_publish(open_clickhouse()),
            "grant these to LAKEHOUSE_CLICKHOUSE_USER",
        ),
    )


def _topics() -> list[str]:
    return [t.topic for t in tables() if t.source.kind != "files"]


def _namespaces(open_catalog: Callable[[], Catalog]) -> str:
    return f"{len(open_catalog().list_namespaces())} namespaces"


def _reached(url: str) -> str:
    parts = urlsplit(url)
    return tcp(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def _home(home: Path) -> str:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=home) as file:
        file.write(b"lakehouse")
    return str(home)


def _space(home: Path) -> str:
    free = shutil.disk_usage(home).free
    told = f"{free / 1e9:.1f} GB free"
    if free < LEAST_FREE_BYTES:
        raise NoSpace(f"{told}, {LEAST_FREE_BYTES / 1e9:.1f} GB are needed")
    return told
