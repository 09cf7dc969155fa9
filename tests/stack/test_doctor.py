"""`lakehouse doctor` on the real servers: what is wrong with each has its line, and then nothing is wrong.

ClickHouse is the embedded engine's owner, asked over HTTP as a server is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from typer.testing import CliRunner

from lakehouse_assets.cli.main import app
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.clickhouse.client import running, stop
from lakehouse_assets.profiles import active
from lakehouse_assets.profiles.settings import variable
from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.lake import Lake

Doctor = Callable[..., dict[tuple[str, str], dict[str, str]]]
TOPICS = sorted(t.topic for t in tables() if t.source.kind != "files")
AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker of its own, which asks who may do what, without topics."""
    with Kafka(tmp_path_factory.mktemp("guarded") / "kafka", AUTHORIZED) as kafka:
        yield kafka


@pytest.fixture
def doctor(
    guarded: Kafka, connect: Connect, lake_with_trino: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Doctor]:
    """What it finds by service and claim; called with settings that differ from the right ones."""
    owner = running(tmp_path)
    user, password = owner.credentials(read_only=False)
    right: dict[str, Any] = {
        "home": tmp_path,
        "profile": "stack",
        "kafka_bootstrap_servers": guarded.bootstrap,
        "connect_url": f"http://127.0.0.1:{connect.port}",
        "clickhouse_host": "127.0.0.1",
        "clickhouse_port": owner.port,
        "clickhouse_user": user,
        "clickhouse_password": password,
        **lake_with_trino.settings(),
    }

    def diagnosed(**other: Any) -> dict[tuple[str, str], dict[str, str]]:
        with monkeypatch.context() as patch:
            for name, value in {**right, **other}.items():
                patch.setenv(variable(name), str(value))
            active.settings.cache_clear()
            active.platform.cache_clear()
            result = CliRunner().invoke(app, ["doctor", "--format", "json", "--limit", "60"])
        active.settings.cache_clear()
        active.platform.cache_clear()
        found = {(f["service"], f["claim"]): f for f in json.loads(result.stdout)}
        assert result.exit_code == any(f["ended"] == "failed" for f in found.values())
        assert password not in result.output
        return found

    yield diagnosed
    stop(tmp_path)


def _failed(found: dict[tuple[str, str], dict[str, str]]) -> set[tuple[str, str]]:
    return {name for name, finding in found.items() if finding["ended"] == "failed"}


NO_CONNECTORS = {("connector bank", "runs"), ("connector shop", "runs")}
TOPICS_EXIST, TOPICS_READ = ("Kafka", "topics_exist"), ("Kafka", "topics_can_be_read")


def test_topics_and_their_permission_are_told_and_then_only_connectors_are_missing(
    doctor: Doctor, guarded: Kafka
) -> None:
    without = doctor()
    assert _failed(without) == {TOPICS_EXIST, *NO_CONNECTORS}
    assert without[TOPICS_EXIST]["found"] == f"not there: {', '.join(TOPICS)}"
    assert without["connector bank", "runs"]["found"] == "there is no connector bank"
    assert "lakehouse connectors apply bank" in without["connector bank", "runs"]["fix"]

    admin = AdminClient({"bootstrap.servers": guarded.bootstrap})
    for made in admin.create_topics([NewTopic(topic, 2) for topic in TOPICS]).values():
        made.result(30)
    well = doctor()
    assert _failed(well) == NO_CONNECTORS
    assert well[TOPICS_EXIST]["found"] == f"{len(TOPICS)} topics, {2 * len(TOPICS)} partitions"
    assert well["Trino", "has_started"]["found"] == "Trino 476"
    assert "lakehouse" in well["Trino", "has_the_catalogs"]["found"]
    assert well["ClickHouse", "takes_the_login"]["found"].startswith("ClickHouse ")

    only_describe = ("User:ANONYMOUS", "*", AclOperation.DESCRIBE, AclPermissionType.ALLOW)
    [granted] = admin.create_acls(
        [AclBinding(ResourceType.TOPIC, TOPICS[0], ResourcePatternType.LITERAL, *only_describe)]
    ).values()
    granted.result(30)
    refused = doctor()
    assert _failed(refused) == {TOPICS_READ, *NO_CONNECTORS}
    assert refused[TOPICS_READ]["found"] == f"may not be read: {TOPICS[0]}"


@pytest.mark.parametrize(
    ("wrong", "failed"),
    [
        (
            {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_username": "me", "kafka_sasl_password": "no"},
            ("Kafka", "takes_the_login"),
        ),
        ({"s3_secret_key": "not the secret"}, ("S3", "bucket_can_be_written")),
        ({"warehouse": "s3://nobodys/warehouse"}, ("S3", "bucket_can_be_written")),
        ({"clickhouse_password": "not the password"}, ("ClickHouse", "takes_the_login")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_wrong_login_or_bucket_is_told(doctor: Doctor, wrong: dict[str, str], failed: tuple[str, str]) -> None:
    found = doctor(**wrong)
    assert failed in _failed(found)
    assert {service for service, _ in _failed(found)} <= {failed[0], "Kafka", "connector bank", "connector shop"}
    assert found[failed]["fix"]
