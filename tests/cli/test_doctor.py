"""`lakehouse doctor`: a line for each thing, with what to do; and no secret in it, nor in what a run leaves behind."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from lakehouse_assets.engines.clickhouse.client import stop
from lakehouse_assets.profiles.settings import Settings, variable

from .conftest import Lakehouse

_EVENTS = "key:bronze/clickstream_user_events"
SERVERS = ("Kafka", "S3", "catalog", "Trino", "ClickHouse")
SECRETS = [name for name, field in Settings.model_fields.items() if SecretStr.__name__ in str(field.annotation)]


def _ended(output: str) -> dict[tuple[str, str], str]:
    return {(f["service"], f["claim"]): f["ended"] for f in json.loads(output)}


def test_a_filled_lakehouse_is_well(lakehouse: Lakehouse, home: Path) -> None:
    lakehouse("events", "--count", "1")
    found = lakehouse("doctor", "--limit", "75")
    assert (found.exit_code, found.stderr) == (0, "")
    assert [line.split(":")[0].split()[1:] for line in found.stdout.splitlines()] == [
        ["home", "can_be_written"],
        ["home", "has_space_left"],
        ["event", "log", "is_there"],
        ["event", "log", "can_be_read"],
        ["catalog", "namespaces_can_be_listed"],
        ["ClickHouse", "answers"],
        ["ClickHouse", "may_publish"],
        ["Dagster", "home_opens"],
        ["packages", "are_those_required"],
    ]
    assert all(line.startswith("ok ") for line in found.stdout.splitlines())
    assert re.search(r"ClickHouse answers: ClickHouse \d+\.\d+", found.stdout)


def test_each_thing_that_is_wrong_has_its_line_with_what_to_do(lakehouse: Lakehouse, home: Path) -> None:
    home.mkdir()
    (home / "catalog.db").write_bytes(b"this is no database" * 100)
    (home / "clickhouse").mkdir()
    (home / "clickhouse" / "data").write_text("this is no folder")
    (home / "dagster").write_text("this is no folder")
    found = lakehouse("doctor", "--limit", "5")
    assert found.exit_code == 1
    failed = [line for line in found.stdout.splitlines() if line.startswith("FAILED ")]
    assert [line.split(":")[0] for line in failed] == [
        "FAILED event log is_there",
        "FAILED catalog namespaces_can_be_listed",
        "FAILED ClickHouse answers",
        "FAILED Dagster home_opens",
    ]
    assert "there is no event log at" in failed[0]
    assert "file is not a database" in failed[1]
    assert all("; fix: " in line for line in failed)
    assert "-      ClickHouse may_publish: needs the one above" in found.stdout


def test_a_home_that_cannot_be_made_is_told_first(
    lakehouse: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "file" / "home"))
    result = lakehouse("doctor", "--format", "json", "--limit", "2")
    first = json.loads(result.stdout)[0]
    assert (result.exit_code, first["claim"], first["ended"]) == (1, "can_be_written", "failed")
    assert "LAKEHOUSE_HOME" in first["fix"]


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield int(listening.getsockname()[1])


def _stack(home: Path, port: int) -> dict[str, str]:
    """Every server at one port, with a login for each."""
    password = {"password": _secret()}
    return {
        "LAKEHOUSE_HOME": str(home),
        "LAKEHOUSE_PROFILE": "stack",
        "LAKEHOUSE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "LAKEHOUSE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "LAKEHOUSE_KAFKA_SASL_USERNAME": "lakehouse",
        "LAKEHOUSE_CONNECT_URL": f"http://127.0.0.1:{port}",
        "LAKEHOUSE_CATALOG_URI": f"http://127.0.0.1:{port}",
        "LAKEHOUSE_WAREHOUSE": "s3://lake/",
        "LAKEHOUSE_S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "LAKEHOUSE_CLICKHOUSE_HOST": "127.0.0.1",
        "LAKEHOUSE_CLICKHOUSE_PORT": str(port),
        "LAKEHOUSE_TRINO_HOST": "127.0.0.1",
        "LAKEHOUSE_TRINO_PORT": str(port),
        "LAKEHOUSE_TRINO_SCHEME": "https",
        "LAKEHOUSE_DATABASES": json.dumps({"bank": {"host": "127.0.0.1", "port": port, "user": "bank", **password}}),
        "LAKEHOUSE_PATIENCE_SECONDS": "1",
        **{variable(name): _secret() for name in SECRETS},
    }


def _secret() -> str:
    return f"{secrets.token_hex(8)}:{secrets.token_hex(8)}"


def test_every_server_that_refuses_is_told_and_what_needs_it_is_not_looked_at(
    lakehouse: Lakehouse, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _stack(home, 1).items():
        monkeypatch.setenv(name, value)
    result = lakehouse("doctor", "--format", "json")
    ended = _ended(result.stdout)
    assert result.exit_code == 1
    for service in SERVERS:
        first, *others = [how for (name, _), how in ended.items() if name == service]
        assert (first, set(others)) == ("failed", {"not looked at"})
        assert (service, "is_reachable") in ended


def test_every_server_that_hangs_is_told_within_the_limit(
    lakehouse: Lakehouse, home: Path, deaf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _stack(home, deaf).items():
        monkeypatch.setenv(name, value)
    result = lakehouse("doctor", "--format", "json", "--limit", "2")
    found = json.loads(result.stdout)
    for service in SERVERS:
        reachable, asked = [f for f in found if f["service"] == service][:2]
        assert (reachable["ended"], asked["ended"]) == ("ok", "failed")
        assert asked["found"] == "no answer within 2 s"
    assert result.exit_code == 1


def test_no_secret_is_shown_by_doctor_by_a_run_nor_by_what_they_leave(tmp_path: Path) -> None:
    environment = _stack(tmp_path / "home", 1)
    hidden = [part for name in SECRETS for part in environment[variable(name)].split(":")]
    hidden += json.loads(environment["LAKEHOUSE_DATABASES"])["bank"]["password"].split(":")
    assert len(hidden) >= 12
    told = ""
    for command in (["doctor", "--limit", "5"], ["materialize"], ["connectors", "apply", "bank"]):
        result = _command(environment, *command)
        assert result.returncode != 0
        told += result.stdout + result.stderr + result.lists
    told += _left_in(tmp_path)
    assert "127.0.0.1" in told
    assert [part for part in hidden if part in told] == []


def test_no_secret_of_the_engine_is_in_what_a_run_tells_or_in_a_list_of_processes(tmp_path: Path) -> None:
    """The passwords of the embedded engine's two users are made at each start; `owner.json` alone holds them."""
    home = tmp_path / "home"
    environment = {"LAKEHOUSE_HOME": str(home)}
    try:
        told = ""
        for command in (
            ["events", "--count", "5"],
            ["materialize", _EVENTS],
            ["query", "--engine", "clickhouse", "select 1"],
        ):
            result = _command(environment, *command)
            assert result.returncode == 0, result.stderr
            told += result.stdout + result.stderr + result.lists
        endpoint = json.loads((home / "clickhouse" / "owner.json").read_text())
        told += _process_lists()
    finally:
        stop(home)
    told += _left_in(home)
    assert str(endpoint["pid"]) not in ("", "0")
    assert [name for name in ("token", "reader_token") if endpoint[name] in told] == []


class _Told(subprocess.CompletedProcess[str]):
    lists: str
    """What the lists of processes showed while it ran."""


def _command(environment: Mapping[str, str], *arguments: str) -> _Told:
    """`lakehouse` in a process of its own, with nothing else of the lakehouse in its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DAGSTER_"))}
    command = [sys.executable, "-m", "lakehouse_assets.cli.main", *arguments]
    with ExitStack() as cleaned:
        process = cleaned.enter_context(
            subprocess.Popen(
                command,
                env={**inherited, **environment},
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        lists = ""
        while True:
            lists += _process_lists()
            try:
                output, errors = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                continue
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    done = _Told(command, process.returncode, output, errors)
    done.lists = lists
    return done


def _process_lists() -> str:
    found = ""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes().decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
    return found


def _left_in(folder: Path) -> str:
    """Every file, but for those that are there to hold a secret."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "owner.json"]
    return "".join(path.read_bytes().decode(errors="replace") for path in files)
