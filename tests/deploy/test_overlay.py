"""docker-compose.secure.yml over docker-compose.yml: nothing answers on loopback without a password, Kafka signs in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.connect import names
from lakehouse_assets.profiles.active import settings_from
from tests.servers.secure_kafka import USERS, rights

from .compose import ROOT, VARIABLE, compose, environment, overlay, services, texts

ADDED = {"acls", "sign-in"}
HAVE_LOGINS = {"minio", "clickhouse", "grafana", "metabase", "sign-in"}


def told(service: str) -> dict[str, Any]:
    return dict(overlay()["services"][service])


def test_it_is_valid_by_the_compose_specification(tmp_path: Path) -> None:
    plain = tmp_path / "overlay.yml"
    plain.write_text(yaml.safe_dump(overlay()))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(plain)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_changes_services_that_are_there_and_adds_whole_ones() -> None:
    assert overlay()["services"].keys() - services().keys() == ADDED
    for name in ADDED:
        assert re.search(r":\d+\.\d+\.\d+", told(name)["image"])
        assert told(name)["security_opt"] == ["no-new-privileges:true"]
        assert told(name)["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}


def test_what_answers_on_loopback_asks_for_a_password() -> None:
    published = {name: each.get("ports") for name, each in services().items()}
    published |= {name: each["ports"] for name, each in overlay()["services"].items() if "ports" in each}
    assert {name for name, ports in published.items() if ports} == HAVE_LOGINS
    assert [port for ports in published.values() for port in ports or () if not port.startswith("127.0.0.1:")] == []
    for name in ("trino", "webserver"):
        assert told(name)["networks"] == ["inside"]


def test_files_and_secrets_that_it_names_are_there() -> None:
    mounted = [v for each in overlay()["services"].values() for v in each.get("volumes", ())]
    for volume in mounted:
        origin, _, mode = volume.split(":")
        assert (ROOT / origin).is_file()
        assert mode == "ro"
    used = {secret for each in overlay()["services"].values() for secret in each.get("secrets", ())}
    assert overlay()["secrets"].keys() == used
    assert not overlay()["secrets"].keys() & compose()["secrets"].keys()
    assert [m[0] for text in texts(overlay()) for m in VARIABLE.finditer(text) if m[0] != f"${{{m[1]}:?}}"] == []


def test_the_settings_sign_in_and_demand_tls() -> None:
    base = {name: value for name, value in environment("code").items() if name.startswith("LAKEHOUSE_")}
    over = {name: VARIABLE.sub("x", value) for name, value in told("code")["environment"].items()}
    settings = settings_from({**base, **over})
    plain = settings_from(base)
    assert settings.kafka_security_protocol == "SASL_SSL"
    assert settings.kafka_sasl_username in USERS
    assert all(each.tls for each in settings.databases.values())
    without = {name: each.model_copy(update={"tls": False}) for name, each in settings.databases.items()}
    assert without == plain.databases


def test_every_variable_that_kafkas_files_read_is_told() -> None:
    read = {
        "kafka": ["server.properties", "client.properties"],
        "connect": ["connect-distributed.properties"],
        "topics": ["client.properties"],
        "acls": ["client.properties"],
    }
    for service, files in read.items():
        text = "".join((ROOT / "deploy/secure" / file).read_text() for file in files)
        assert set(re.findall(r"\$\{env:(\w+)\}", text)) <= told(service)["environment"].keys()


def test_the_rights_cover_the_contracts_topics_and_users_are_known() -> None:
    bound = list(rights())
    assert {each.principal.removeprefix("User:") for each in bound} == {"connect", "lakehouse"}
    logins = told("kafka")["environment"]["KAFKA_LOGINS"]
    assert set(re.findall(r" user_(\w+)=", logins)) == set(USERS)

    def may(user: str, right: str, topic: str) -> bool:
        def covers(each: Any) -> bool:
            fits = topic == each.name or (each.resource_pattern_type.name == "PREFIXED" and topic.startswith(each.name))
            return fits and each.restype.name == "TOPIC" and each.operation.name in (right, "ALL")

        return any(covers(each) for each in bound if each.principal == f"User:{user}")

    for table in registry.tables():
        if table.source.connector is not None:
            assert may("connect", "WRITE", table.topic)
            assert may("connect", "WRITE", names.topic_prefix(table.source))
        if table.source.kind != "files":
            assert may("lakehouse", "READ", table.topic)
            assert may("lakehouse", "WRITE", table.topic) == (table.source.kind == "events")
