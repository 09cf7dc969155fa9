"""Kafka with TLS, SASL and ACLs as the overlay deploys it: connectors and landing work, and nobody may do more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr

from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.connect.client import ConnectClient
from lakehouse_assets.engines.connect.database import Database
from lakehouse_assets.engines.log.log import EventLog, LogError
from lakehouse_assets.operations.connectors import Connectors, apply, captured
from lakehouse_assets.profiles import stack
from lakehouse_assets.profiles.settings import Settings
from tests.servers.connect import Connect
from tests.servers.deployed import DEPLOY
from tests.servers.mariadb import MariaDB
from tests.servers.secure_kafka import SecureKafka
from tests.servers.server import wait_until

_CONNECTOR = "of-the-connector"
_OWNER = "of-the-owner"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certified") / "certificates"
    sys.path.insert(0, str(DEPLOY))
    try:
        import make_certificates
    finally:
        sys.path.pop(0)
    make_certificates.make(folder)
    return folder


@pytest.fixture(scope="module")
def secure(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with SecureKafka(tmp_path_factory.mktemp("secure") / "kafka", certificates) as kafka:
        kafka.let_in()
        yield kafka


def settings(secure: SecureKafka, user: str = "lakehouse") -> Settings:
    return Settings.model_validate(
        {
            "profile": "stack",
            "kafka_bootstrap_servers": secure.bootstrap,
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_sasl_username": user,
            "kafka_sasl_password": secure.passwords[user],
            "kafka_ssl_ca_location": secure.ca,
            "catalog_uri": "http://127.0.0.1:1",
            "warehouse": "none",
            "clickhouse_host": "127.0.0.1",
        }
    )


def test_the_certificate_is_of_the_authority_and_of_every_service(certificates: Path) -> None:
    assert sorted(each.name for each in certificates.iterdir()) == ["ca.pem", "server.crt", "server.key", "server.pem"]
    assert certificates.stat().st_mode & 0o777 == 0o700
    for host in ("kafka", "postgres", "localhost"):
        command = ["openssl", "verify", "-CAfile", "ca.pem", "-verify_hostname", host, "server.crt"]
        assert subprocess.run(command, cwd=certificates, capture_output=True, check=False).returncode == 0


def test_connectors_tell_changes_and_the_lakehouse_reads_them(secure: SecureKafka, tmp_path: Path) -> None:
    known = {**secure.secrets_of_connect(), "DATABASE_PASSWORD_SHOP": _CONNECTOR}
    more = ["secure/connect-distributed.properties"]
    with (
        MariaDB(tmp_path / "mariadb") as mariadb,
        Connect(tmp_path / "connect", secure.bootstrap, known, more) as connect,
    ):
        _fill(mariadb)
        address = Database(
            host="127.0.0.1", port=mariadb.port, user="shop", password=SecretStr(_OWNER), system="mariadb"
        )
        kafka = stack.kafka_settings(settings(secure))
        [shop] = captured("shop")
        apply(Connectors(ConnectClient(connect.address), {"shop": address}, kafka), shop)
        connect.wait_until_running("shop")

        log, topic = stack.platform(settings(secure)).log, registry.table("shop_products").topic
        wait_until("the row is told", lambda: _told(log, topic) == 1)
        ends = {partition: bounds.end for partition, bounds in log.bounds(topic).items()}
        [row] = [row for batch in log.read(topic, {}, ends, 10) for row in batch.messages.to_pylist()]
        assert json.loads(row["value"])["after"]["sku"] == "a"
        assert log.identity(topic)


def _told(log: EventLog, topic: str) -> int:
    try:
        return sum(each.end for each in log.bounds(topic).values())
    except LogError:
        return 0  # a partition that was made a moment ago has no leader yet


def _fill(mariadb: MariaDB) -> None:
    passwords = {"shop_password": _OWNER, "connector_password": _CONNECTOR, "clickhouse_mysql_password": "x"}
    for script in sorted((DEPLOY / "mysql/init").iterdir()):
        mariadb.run(script, passwords)
    with mariadb.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("insert into products values (1, 'a', 'b', 'c', 1.5, 2, now(), now())")


def test_the_lakehouse_may_read_changes_and_write_events_alone(secure: SecureKafka) -> None:
    admin = AdminClient(secure.client)
    new = [NewTopic(name, 1, 1) for name in ("bank.public.users", "user-events", "payroll")]
    for made in admin.create_topics(new).values():
        made.result()
    assert written(secure.client_of("lakehouse"), "user-events") is None
    for topic in ("bank.public.users", "payroll"):
        assert written(secure.client_of("lakehouse"), topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert written(secure.client_of("connect"), "bank.public.users") is None
    assert seen(secure.client_of("lakehouse"), "bank.public.users") == 1
    assert seen(secure.client_of("lakehouse"), "payroll") == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.parametrize(
    "change",
    [
        {"sasl.password": "wrong"},
        {"sasl.username": "nobody"},
        {"security.protocol": "PLAINTEXT"},
        {"security.protocol": "SSL"},
    ],
)
def test_who_does_not_sign_in_learns_nothing(secure: SecureKafka, change: dict[str, str]) -> None:
    with pytest.raises(KafkaException):
        AdminClient({**secure.client, **change, "log_level": "0"}).list_topics(timeout=3)


def written(client: dict[str, str], topic: str) -> Any:
    """The code of what went wrong."""
    told: list[Any] = []
    producer = Producer({**client, "message.timeout.ms": "10000", "log_level": "0"})
    producer.produce(topic, b"x", on_delivery=lambda error, _: told.append(error.code() if error else None))
    producer.flush(15)
    return told[0]


def seen(client: dict[str, str], topic: str) -> Any:
    """How many messages it may read of the first partition, or the code of what went wrong."""
    consumer = Consumer({**client, "group.id": "lakehouse", "log_level": "0"})
    try:
        if error := consumer.list_topics(topic, timeout=10).topics[topic].error:
            return error.code()
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]
    finally:
        consumer.close()
