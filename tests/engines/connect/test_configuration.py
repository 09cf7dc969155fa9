"""What Connect is told follows from the contracts and an address; what it must not know is not in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts.table import Source
from lakehouse_assets.engines.connect.configuration import configuration, server_id
from lakehouse_assets.engines.connect.database import Database
from lakehouse_assets.engines.connect.preparation import preparation

KAFKA = {"bootstrap.servers": "kafka:9092"}
SASL = {**KAFKA, "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.password": "hunter2"}
SOURCES = {source.name: source for source in registry.sources()}
captured = pytest.mark.parametrize("name", ["bank", "shop"])


def database(**changes: Any) -> Database:
    given = {"host": "db", "port": 1234, "user": "owner", "password": SecretStr("hunter2"), **changes}
    return Database.model_validate(given)


def told(
    name: str, address: Database | None = None, kafka: dict[str, str] | None = None, **changes: Any
) -> dict[str, str]:
    source = replace(SOURCES[name], **changes)
    tables = [replace(t, source=source) for t in registry.tables() if t.source.name == name]
    return configuration(source, tables, address or database(), kafka or KAFKA)


@captured
def test_a_topic_of_the_contracts_is_prefix_and_captured_table(name: str) -> None:
    known = told(name)
    tables = known["table.include.list"].split(",")
    assert [f"{known['topic.prefix']}.{table}" for table in tables] == [
        t.topic for t in registry.tables() if t.source.name == name
    ]


@pytest.mark.parametrize("topic", ["{table}", "bank.{table}", "bank.private.{table}", "{table}.public.{table}"])
def test_topics_that_no_connector_could_write_are_refused(topic: str) -> None:
    with pytest.raises(ValueError, match=r"source bank: its topics must be named '<prefix>.public.\{table\}'"):
        told("bank", topic=topic)


def test_values_are_encoded_as_the_contract_declares() -> None:
    known = told("bank", decimal="precise", time="connect", binary="hex", interval="string")
    assert (known["decimal.handling.mode"], known["time.precision.mode"]) == ("precise", "connect")
    assert (known["binary.handling.mode"], known["interval.handling.mode"]) == ("hex", "string")
    assert told("shop", unsigned="precise")["bigint.unsigned.handling.mode"] == "precise"
    assert "transforms" not in known
    flat = told("shop", envelope="flat")
    assert flat["transforms.flat.delete.tombstone.handling.mode"] == "rewrite"
    assert "source.file,source.pos,source.row" in flat["transforms.flat.add.fields"]


@captured
def test_it_beats_tells_transactions_and_takes_signals(name: str) -> None:
    known = told(name)
    assert known["heartbeat.action.query"].startswith(f"insert into debezium.{name}_heartbeat ")
    assert known["signal.data.collection"] == f"debezium.{name}_signals"
    assert (known["provide.transaction.metadata"], known["poll.interval.ms"]) == ("true", "20")


def test_mysql_and_mariadb_differ_in_class_and_encryption_only() -> None:
    mysql, mariadb = told("shop"), told("shop", database(system="mariadb"))
    differing = {key for key in mysql | mariadb if mysql.get(key) != mariadb.get(key)}
    assert differing == {"connector.class", "database.ssl.mode"}
    assert told("shop", database(tls=True))["database.ssl.mode"] == "required"
    assert told("bank", database(tls=True))["database.sslmode"] == "require"


def test_sources_are_replicas_of_different_numbers() -> None:
    numbers = {server_id(replace(SOURCES["shop"], name=f"shop_{n}")) for n in range(1000)}
    assert len(numbers) == 1000
    assert all(10_000 <= number < 2**32 for number in numbers)


@captured
@pytest.mark.parametrize("kafka", [KAFKA, SASL], ids=["plain", "sasl"])
def test_no_password_is_in_it(name: str, kafka: dict[str, str]) -> None:
    known = told(name, kafka=kafka)
    assert known["database.password"] == f"${{env:DATABASE_PASSWORD_{name.upper()}}}"
    assert "hunter2" not in str(known)
    assert "hunter2" not in repr(database())


def test_the_schema_history_reaches_kafka_as_safely_as_everything_else() -> None:
    known = told("shop", kafka=SASL)
    for side in ("producer", "consumer"):
        prefix = f"schema.history.internal.{side}"
        assert known[f"{prefix}.security.protocol"] == "SASL_SSL"
        assert known[f"{prefix}.sasl.jaas.config"] == "${env:KAFKA_JAAS_CONFIG}"
        assert known[f"{prefix}.ssl.truststore.location"] == "${env:KAFKA_CA_LOCATION}"
    assert not any("sasl" in key or "ssl.truststore" in key for key in told("shop"))


def test_the_publication_holds_exactly_the_contracts_tables_and_the_connectors_own() -> None:
    bank = [t for t in registry.tables() if t.source.name == "bank"]
    steps = {step.what: step for step in preparation(SOURCES["bank"], bank, database(connector_user="reader"))}
    assert steps["tables of publication lakehouse_bank"].statement == (
        "alter publication lakehouse_bank set table"
        " debezium.bank_heartbeat, debezium.bank_signals, public.accounts, public.users"
    )
    assert steps["select on public.users"].statement == 'grant select on public.users to "reader"'
    written = {what for what in steps if what.startswith(("insert on", "update on"))}
    assert written == {
        "insert on debezium.bank_heartbeat",
        "insert on debezium.bank_signals",
        "update on debezium.bank_heartbeat",
    }


@pytest.mark.parametrize("account", ["", 'x"; drop table users', "Reader", "a" * 40])
def test_a_connector_account_that_is_no_name_is_refused(account: str) -> None:
    with pytest.raises(ValueError, match="connector_user"):
        database(connector_user=account)


def test_a_source_without_a_connector_has_no_system() -> None:
    source: Source = SOURCES["retail"]
    with pytest.raises(ValueError, match="source retail has no connector"):
        database().system_of(source)
