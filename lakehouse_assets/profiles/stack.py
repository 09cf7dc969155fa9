"""The profile with servers: Kafka, an Iceberg REST catalog over S3, and a ClickHouse server.

Where it stops: it connects when somebody asks; how the servers are set up is not its business.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clickhouse_connect.driver.client import Client
from pydantic import SecretStr
from pyiceberg.catalog import Catalog

from lakehouse_assets.engines.iceberg.storage import RETRIES
from lakehouse_assets.engines.log.kafka_log import KafkaLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.profiles import probes
from lakehouse_assets.profiles.lazy import once
from lakehouse_assets.profiles.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def platform(settings: Settings) -> Platform:
    """`settings` of profile `stack`, which holds the addresses."""

    def open_catalog() -> Catalog:
        from lakehouse_assets.engines.iceberg.rest import PATIENCE, PatientCatalog

        patience = {PATIENCE: str(settings.patience_seconds)}
        return PatientCatalog("lakehouse", **catalog_properties(settings), **patience)

    def open_clickhouse() -> Client:
        import clickhouse_connect

        return clickhouse_connect.get_client(
            host=settings.clickhouse_host,
            port=settings.clickhouse_port,
            username=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            secure=settings.clickhouse_secure,
            # One session allows one query at a time; this client is shared by threads.
            autogenerate_session_id=False,
        )

    kafka, catalog, clickhouse = kafka_settings(settings), once(open_catalog), once(open_clickhouse)
    return Platform(
        name="stack",
        home=settings.home,
        log=KafkaLog(kafka),
        open_catalog=catalog,
        open_clickhouse=clickhouse,
        dbt_target="stack",
        batch_messages=settings.batch_messages,
        memory_limit=settings.memory_limit,
        automation=settings.automation,
        let_floods_in=frozenset(filter(None, settings.let_floods_in.split(","))),
        probes=probes.stack(settings, kafka, catalog_properties(settings), catalog, clickhouse),
        patience_seconds=settings.patience_seconds,
        storage=storage_properties(settings),
        deliveries=settings.deliveries,
        open_spark=once(partial(open_spark, settings)) if settings.spark_master else None,
        refined_by=settings.refine_engine,
        maintained_by=settings.maintenance_engine,
    )


def open_spark(settings: Settings) -> SparkSession:
    """Raises NoSpark."""
    from lakehouse_assets.engines.spark.session import CATALOG, open_session

    catalog = f"spark.sql.catalog.{CATALOG}"
    known: dict[str, object] = {
        "spark.master": settings.spark_master,
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.executor.memory": settings.spark_executor_memory,
        "spark.cores.max": settings.spark_cores,
        "spark.driver.extraClassPath": f"{settings.spark_jars}/*",
        "spark.executor.extraClassPath": f"{settings.spark_jars}/*",
        f"{catalog}.uri": settings.catalog_uri,
        f"{catalog}.warehouse": settings.warehouse,
        f"{catalog}.s3.endpoint": settings.s3_endpoint,
        f"{catalog}.client.region": settings.s3_region,
    }
    secrets: dict[str, object] = {
        f"{catalog}.credential": settings.catalog_credential,
        f"{catalog}.s3.access-key-id": settings.s3_access_key,
        f"{catalog}.s3.secret-access-key": settings.s3_secret_key,
    }
    return open_session(_given(known), _given(secrets))


def kafka_settings(settings: Settings) -> dict[str, str]:
    """What librdkafka needs to reach the brokers, in its own names; holds the password."""
    known: dict[str, object] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
        "ssl.ca.location": settings.kafka_ssl_ca_location,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        known |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password,
        }
    return _given(known)


def catalog_properties(settings: Settings) -> dict[str, str]:
    """PyIceberg's properties of the REST catalog and of its storage; holds the keys."""
    known: dict[str, object] = {
        "uri": settings.catalog_uri,
        "credential": settings.catalog_credential,
        "warehouse": settings.warehouse,
    }
    return _given(known) | storage_properties(settings)


def storage_properties(settings: Settings) -> dict[str, str]:
    """PyIceberg's properties of the S3 server; holds the keys."""
    return _given(
        {
            **RETRIES,
            "s3.endpoint": settings.s3_endpoint,
            "s3.access-key-id": settings.s3_access_key,
            "s3.secret-access-key": settings.s3_secret_key,
            "s3.region": settings.s3_region,
        }
    )


def _given(values: dict[str, object]) -> dict[str, str]:
    """Without what was not set, secrets in clear."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }
