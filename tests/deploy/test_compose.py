"""docker-compose.yml: valid, whole, closed to the outside, and as the profile's settings and the contracts say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.connect import names
from lakehouse_assets.profiles.active import settings_from
from lakehouse_assets.profiles.settings import Settings

from .compose import FILE, ROOT, VARIABLE, compose, environment, mounts, overlay, services, texts

each_service = pytest.mark.parametrize("service", sorted(services()))
ONCE = {"topics", "buckets", "connectors"}
WITHOUT_ANSWER = {*ONCE, "spark-worker"}
SCREENS = {"webserver", "grafana", "metabase", "minio", "trino", "clickhouse"}
LISTENS = {  # the ports on which services find each other
    "postgres": 5432, "mysql": 3306, "kafka": 9092, "connect": 8083, "minio": 9000, "metadata": 5432, "catalog": 8181,
    "trino": 8080, "spark": 7077, "clickhouse": 8123, "code": 4000, "prometheus": 9090,
}  # fmt: skip


def test_it_is_valid_by_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_server_of_the_stack_is_there() -> None:
    assert {
        "postgres", "mysql", "kafka", "connect", "minio", "catalog", "trino", "spark", "clickhouse", "prometheus",
        "grafana", "metabase", "code", "webserver", "daemon",
    } <= services().keys()  # fmt: skip


@each_service
def test_images_are_pinned_and_builds_are_of_pinned_ones(service: str) -> None:
    told = services()[service]
    assert re.fullmatch(r"[a-z0-9./-]+:(RELEASE\.)?v?\d+(\.\d+|-\d\d)?[\w.+-]*", told["image"])
    build = told.get("build")
    if build is not None:
        dockerfile = (ROOT / build["context"] / build.get("dockerfile", "Dockerfile")).read_text()
        assert re.search(r"^FROM [a-z0-9./-]+:\d+\.\d+\.\d+\S*$", dockerfile, re.MULTILINE)


@each_service
def test_every_service_is_bounded_checked_and_may_gain_no_rights(service: str) -> None:
    told = services()[service]
    assert told["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert ("healthcheck" in told) == (service not in WITHOUT_ANSWER)
    assert told["restart"] == ("on-failure" if service in ONCE else "unless-stopped")


def test_the_memory_of_all_is_what_the_document_says() -> None:
    limits = [told["deploy"]["resources"]["limits"]["memory"] for told in services().values()]
    megabytes = sum(int(each[:-1]) * {"m": 1, "g": 1024}[each[-1]] for each in limits)
    assert f"memory limits of all services are {megabytes // 1024} GB" in (ROOT / "docs/deployment.md").read_text()


@each_service
def test_what_a_service_waits_for_can_come_true(service: str) -> None:
    for name, how in services()[service].get("depends_on", {}).items():
        assert how["condition"] == ("service_completed_successfully" if name in ONCE else "service_healthy")
        assert name in services()


def test_services_start_in_an_order() -> None:
    waiting = {name: set(told.get("depends_on", {})) for name, told in services().items()}
    while ready := {name for name, needs in waiting.items() if not needs & waiting.keys()}:
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}
    assert waiting == {}


def test_ports_are_on_loopback_only_and_each_is_one_services() -> None:
    published = {name: told["ports"] for name, told in services().items() if "ports" in told}
    assert published.keys() == SCREENS
    ports = [port for each in published.values() for port in each]
    assert [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)] == []
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_only_services_with_a_port_leave_the_internal_network() -> None:
    assert compose()["networks"]["inside"] == {"internal": True}
    assert {name for name, told in services().items() if told["networks"] != ["inside"]} == SCREENS


@each_service
def test_what_is_mounted_is_there_and_configuration_is_read_only(service: str) -> None:
    for origin, place in mounts(service):
        if origin.startswith("./"):
            assert (ROOT / origin).exists(), origin
            assert f"{origin}:{place}:ro" in services()[service]["volumes"]
        else:
            assert origin in compose()["volumes"]


def test_volumes_secrets_and_files_that_are_declared_are_used() -> None:
    used = {origin for name in services() for origin, _ in mounts(name)}
    assert compose()["volumes"].keys() == {origin for origin in used if not origin.startswith("./")}
    assert compose()["secrets"].keys() == {s for told in services().values() for s in told.get("secrets", ())}
    over = {volume.split(":")[0] for each in overlay()["services"].values() for volume in each.get("volumes", ())}
    mounted = [ROOT / origin for origin in used | over if origin.startswith("./")]
    loose = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "deploy").rglob("*")
        if path.is_file()
        and path.suffix not in (".py", ".pyc")
        and path.name not in ("Dockerfile", "catalog.env", "s3.env")
        and not any(path.is_relative_to(each) for each in mounted)
    ]
    assert loose == []


def test_no_variable_has_a_default_and_none_that_holds_a_secret_is_written_out() -> None:
    found = [match for text in texts(compose()) for match in VARIABLE.finditer(text)]
    assert [match[0] for match in found if match[0] != f"${{{match[1]}:?}}"] == []
    secret = re.compile(r"(PASSWORD|SECRET|_KEY|_PASS)$")
    allowed = {"lakehouse", "trino", "clickhouse", "dagster"}
    written = {
        f"{name}.{variable}"
        for name, told in services().items()
        for variable, value in told.get("environment", {}).items()
        if secret.search(variable) and not VARIABLE.search(value) and value not in allowed
    }
    assert written == set()


def test_a_password_is_an_accounts_own() -> None:
    """Every account has a variable of its own; a server sees none but its own and those that it is asked with."""
    assert "MINIO_ROOT_PASSWORD" not in str(environment("code", {n: n for n in _variables()}))
    assert "POSTGRES_PASSWORD" not in services()["connect"]["environment"]
    debezium = [name for name in services() if "DATABASE_PASSWORD_BANK" in str(services()[name].get("environment"))]
    assert debezium == ["postgres", "connect"]


def test_the_settings_of_the_profile_are_valid_and_name_services_that_listen() -> None:
    settings = _settings()
    assert settings.profile == "stack"
    assert settings.kafka_bootstrap_servers is not None
    addresses = [
        *(f"//{each}" for each in settings.kafka_bootstrap_servers.split(",")),
        *(str(each) for each in (settings.connect_url, settings.catalog_uri, settings.s3_endpoint)),
        f"//{settings.clickhouse_host}:{settings.clickhouse_port}",
        f"//{settings.trino_host}:{settings.trino_port}",
        *(f"//{each.host}:{each.port}" for each in settings.databases.values()),
    ]
    found = {(parts.hostname, parts.port) for parts in map(urlsplit, addresses)}
    assert found <= set(LISTENS.items())
    assert settings.warehouse == environment("catalog")["CATALOG_WAREHOUSE"]


def test_every_source_with_a_connector_has_its_database_accounts_and_passwords() -> None:
    settings = _settings()
    captured = {source.name: source for source in registry.sources() if source.connector}
    assert settings.databases.keys() == captured.keys()
    for name, source in captured.items():
        server = {"postgresql": "postgres", "mysql": "mysql"}[str(source.connector)]
        database = settings.databases[name]
        accounts = (ROOT / f"deploy/{server}/init/10-accounts.sql").read_text()
        assert database.host == server
        assert database.system_of(source) == source.connector
        assert f"create database {source.database} " in accounts
        assert all(
            f" {account} " in accounts or f"'{account}'" in accounts for account in (name, database.connector_user)
        )
        assert names.password_variable(source) in environment("connect")


def test_the_topic_of_events_has_three_partitions_and_a_day() -> None:
    [events] = [table for table in registry.tables() if table.source.kind == "events"]
    command = services()["topics"]["command"]
    assert command[command.index("--topic") + 1] == events.topic
    assert command[command.index("--partitions") + 1] == "3"
    assert f"retention.ms={24 * 60 * 60 * 1000}" in command


def test_a_password_of_any_variable_reaches_its_place_whole() -> None:
    values = {name: f"{position:048x}" for position, name in enumerate(_variables())}
    settings = settings_from(_lakehouse(values))
    assert settings.databases["bank"].password.get_secret_value() == values["BANK_PASSWORD"]
    assert settings.clickhouse_password.get_secret_value() == values["CLICKHOUSE_PUBLISHER_PASSWORD"]
    assert json.loads(_lakehouse(values)["LAKEHOUSE_DATABASES"])["shop"]["password"] == values["SHOP_PASSWORD"]


def _variables() -> list[str]:
    return sorted({match[1] for text in texts(compose()) for match in VARIABLE.finditer(text)})


def _lakehouse(values: dict[str, str] | None = None) -> dict[str, str]:
    return {n: v for n, v in environment("code", values).items() if n.startswith("LAKEHOUSE_")}


def _settings() -> Settings:
    return settings_from(_lakehouse())
