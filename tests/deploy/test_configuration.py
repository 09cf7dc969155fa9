"""The servers' own files in `deploy/`: what they name is there, and their accounts have the rights of one use each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.clickhouse.publish import GOLD, STAGING

from .compose import ROOT, environment, services

DEPLOY = ROOT / "deploy"
_ASK = """
import sys, json, chdb
conn = chdb.connect("data?config-file=config.xml")
print(json.dumps([json.loads(str(conn.query(q, "JSONCompact")))["data"] for q in sys.argv[1:]]))
"""
_MAIN = """<clickhouse>
  <user_directories><users_xml><path>users.xml</path></users_xml></user_directories>
</clickhouse>"""


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[Any]]]:
    """What the ClickHouse engine itself made of the file of users; its own account is kept, to ask with."""
    folder = tmp_path_factory.mktemp("clickhouse")
    (folder / "config.xml").write_text(_MAIN)
    users = (DEPLOY / "clickhouse/users.d/lakehouse.xml").read_text()
    assert '<default remove="remove"/>' in users
    asking = "<default><password/><networks><ip>::1</ip></networks><access_management>1</access_management></default>"
    (folder / "users.xml").write_text(users.replace('<default remove="remove"/>', asking))
    asked = {
        "users": "select name from system.users order by 1",
        "grants": "select user_name, access_type::text, database from system.grants where user_name <> 'default'",
        "quotas": "select quota_name, max_queries, max_execution_time from system.quota_limits order by 1",
        "settings": "select profile_name, setting_name, value from system.settings_profile_elements",
    }
    passwords = dict.fromkeys(re.findall(r'from_env="(\w+)"', users), "x")
    done = subprocess.run(
        [sys.executable, "-c", _ASK, *asked.values()],
        cwd=folder, env={**os.environ, **passwords}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(asked, json.loads(done.stdout), strict=True))


def test_clickhouse_has_one_account_for_each_use(access: dict[str, list[list[Any]]]) -> None:
    assert [name for (name,) in access["users"]] == ["api", "dashboards", "default", "publisher"]
    assert environment("code")["LAKEHOUSE_CLICKHOUSE_USER"] == "publisher"


def test_who_reads_gold_may_do_nothing_else(access: dict[str, list[list[Any]]]) -> None:
    rights = {
        user: {(right, where) for name, right, where in access["grants"] if name == user}
        for user in ("api", "dashboards")
    }
    assert rights["api"] == {("SELECT", "gold")}
    assert rights["dashboards"] == {("SELECT", "gold"), ("SHOW", "gold")}


def test_the_publisher_writes_gold_and_only_there(access: dict[str, list[list[Any]]]) -> None:
    held = [(right, where) for name, right, where in access["grants"] if name == "publisher"]
    assert {where for right, where in held if right in ("INSERT", "TRUNCATE", "ALTER TABLE")} == {GOLD, STAGING}
    assert {"NAMED COLLECTION", "SHOW NAMED COLLECTIONS"} <= {right for right, _ in held}  # `lakehouse live` looks
    assert not {right for right, _ in held} & {"ALL", "ACCESS MANAGEMENT", "CREATE USER", "FILE", "URL", "REMOTE"}


def test_readers_are_bounded_and_counted(access: dict[str, list[list[Any]]]) -> None:
    quotas = {name: (queries, seconds) for name, queries, seconds in access["quotas"]}
    assert {"api": ("3000", 300.0), "dashboards": ("600", 600.0)}.items() <= {
        name: (str(queries), seconds) for name, (queries, seconds) in quotas.items()
    }.items()
    reading = {name: value for profile, name, value in access["settings"] if profile == "reading" and value}
    assert reading["readonly"] == "2"
    assert {"max_memory_usage", "max_execution_time", "max_result_rows", "log_queries"} <= reading.keys()


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("clickhouse/**/*.xml")), ids=lambda path: path.parent.name)
def test_clickhouse_is_told_every_variable_and_no_password_in_clear(file: Path) -> None:
    root = ElementTree.parse(file).getroot()
    named = {each.get("from_env") for each in root.iter() if each.get("from_env")}
    assert named <= environment("clickhouse").keys()
    secret = [e for e in root.iter() if "password" in e.tag or "secret" in e.tag]
    assert secret
    assert [e.tag for e in secret if (e.text or "").strip()] == []


def test_the_named_collections_are_the_live_database_and_the_lake() -> None:
    root = ElementTree.parse(DEPLOY / "clickhouse/config.d/lakehouse.xml").getroot()
    collections = {each.tag: {e.tag: e.text for e in each} for each in root.find("named_collections") or []}
    live = {source.name for source in registry.sources() if source.connector == "mysql"}
    assert collections.keys() == {"lake"} | live
    shop = collections["shop"]
    assert (shop["host"], shop["port"], shop["user"]) == ("mysql", "3306", "clickhouse")
    accounts = (DEPLOY / "mysql/init/10-accounts.sql").read_text()
    assert [line for line in accounts.splitlines() if "to 'clickhouse'@" in line] == [
        "grant select on shop.* to 'clickhouse'@'%';"
    ]
    assert (root.findtext("query_log/database"), root.findtext("query_log/table")) == ("system", "query_log")


def test_every_variable_of_trinos_files_is_told() -> None:
    named = {
        variable
        for file in (DEPLOY / "trino").rglob("*.properties")
        for variable in re.findall(r"\$\{ENV:(\w+)\}", file.read_text())
    }
    assert named <= environment("trino").keys()


def test_connect_may_show_connectors_their_passwords_and_nothing_else() -> None:
    text = (DEPLOY / "connect/connect-distributed.properties").read_text()
    [pattern] = re.findall(r"allowlist.pattern=(.*)", text)
    shown = {name for name in environment("connect") if re.fullmatch(pattern, name)}
    assert {"DATABASE_PASSWORD_BANK", "DATABASE_PASSWORD_SHOP"} <= shown
    assert not re.fullmatch(pattern, "AWS_SECRET_ACCESS_KEY")


@pytest.mark.parametrize(("server", "variables"), [("postgres", 2), ("metadata", 3)])
def test_every_password_that_postgresql_reads_is_told(server: str, variables: int) -> None:
    named = re.findall(r"\\getenv \w+ (\w+)", (DEPLOY / server / "init/10-accounts.sql").read_text())
    assert len(named) == variables
    assert set(named) <= environment(server).keys()


def test_every_password_file_that_mysql_reads_is_mounted() -> None:
    named = re.findall(r"@@secure_file_priv, '/(\w+)'", (DEPLOY / "mysql/init/10-accounts.sql").read_text())
    assert len(named) == 3
    assert set(named) <= set(services()["mysql"]["secrets"])


def test_accounts_of_the_store_see_one_bucket_and_clickhouse_only_reads() -> None:
    policies = {path.stem: json.loads(path.read_text())["Statement"] for path in DEPLOY.glob("minio/*.json")}
    script = services()["buckets"]["command"][0]
    assert sorted(policies) == sorted(re.findall(r"^ *account (\w+)", script, re.MULTILINE))
    for name, statements in policies.items():
        bucket = "dagster" if name == "dagster" else "lake"
        resources = {resource for each in statements for resource in each["Resource"]}
        assert resources == {f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"}
        actions = {action for each in statements for action in each["Action"]}
        assert not [action for action in actions if "*" in action]
        assert ("s3:PutObject" in actions) == (name != "clickhouse")


def test_dagster_takes_its_instance_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_PASSWORD", "x")
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster/dagster.yaml").read_text())
    told, _ = dagster_instance_config(str(tmp_path))
    reference = InstanceRef.from_dir(str(tmp_path))
    assert isinstance(reference.compute_log_manager, S3ComputeLogManager)
    assert told["storage"]["postgres"]["postgres_db"]["hostname"] == "metadata"


def test_the_instance_differs_from_the_embedded_one_in_storage_and_logs_only() -> None:
    embedded = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    deployed = yaml.safe_load((DEPLOY / "dagster/dagster.yaml").read_text())
    assert deployed.keys() - embedded.keys() == {"storage", "compute_logs"}
    assert {name: deployed[name] for name in embedded} == embedded


def test_dagster_finds_its_code_where_it_is_served() -> None:
    [served] = yaml.safe_load((DEPLOY / "dagster/workspace.yaml").read_text())["load_from"]
    [named] = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    command = services()[served["grpc_server"]["host"]]["command"]
    assert str(served["grpc_server"]["port"]) == command[command.index("-p") + 1]
    assert command[command.index("-m") + 1] == named["python_module"]["module_name"]
    assert command[command.index("-a") + 1] == named["python_module"]["attribute"]
    assert served["grpc_server"]["location_name"] == named["python_module"]["location_name"]


def test_what_prometheus_and_grafana_ask_is_a_service() -> None:
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = [target for job in scraped for each in job["static_configs"] for target in each["targets"]]
    assert {target.split(":")[0] for target in targets} <= {"localhost", *services()}
    assert "clickhouse:9363" in targets
    shown = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/lakehouse.yml").read_text())["datasources"]
    gold = next(each for each in shown if each["name"] == "Gold")
    assert (gold["jsonData"]["host"], gold["jsonData"]["username"]) == ("clickhouse", "dashboards")
    assert gold["secureJsonData"]["password"].removeprefix("$") in environment("grafana")


def test_the_image_holds_what_it_is_built_from() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "dagster/Dockerfile").read_text(), re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored
