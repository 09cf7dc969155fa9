"""The owner process: one per home, private, and never the end of anybody's data."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import clickhouse_connect
import psutil
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from lakehouse_assets.engines.clickhouse import client, endpoint


def owner_pid(home: Path) -> int:
    known = endpoint.read(home)
    assert known is not None
    return known.pid


@retry(retry=retry_if_result(lambda gone: not gone), wait=wait_fixed(0.05), stop=stop_after_delay(20))
def wait_until_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_racing_clients_get_one_owner(tmp_path: Path) -> None:
    try:
        with ThreadPoolExecutor(4) as pool:
            clients = list(pool.map(lambda _: client.connect(tmp_path), range(4)))
        assert {c.url for c in clients} == {f"http://127.0.0.1:{json.loads(owner_json(tmp_path))['port']}"}
        assert [c.command("SELECT 1") for c in clients] == [1, 1, 1, 1]
    finally:
        client.stop(tmp_path)


def test_an_owner_that_cannot_start_is_one_error_that_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.engines.clickhouse.client.sys.executable", "/bin/false")
    with pytest.raises(client.NoOwner, match=r"clickhouse ended with 1 as it started; see owner\.log there"):
        client.connect(tmp_path)


def owner_json(home: Path) -> str:
    return (home / "clickhouse" / "owner.json").read_text()


def test_a_new_owner_has_every_row_of_one_that_was_killed(home: Path, clickhouse: Client) -> None:
    clickhouse.command("CREATE DATABASE IF NOT EXISTS gold")
    clickhouse.command("CREATE TABLE gold.kept (a Int64) ENGINE = MergeTree ORDER BY a")
    clickhouse.insert("gold.kept", [[n] for n in range(1000)], column_names=["a"])
    pid = owner_pid(home)
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    assert client.connect(home).command("SELECT count() FROM gold.kept") == 1000
    assert owner_pid(home) != pid
    assert clickhouse.command("SELECT sum(a) FROM gold.kept") == 499500, "a client held over the crash goes on"


def test_an_idle_owner_ends_and_a_client_held_over_it_starts_another(tmp_path: Path) -> None:
    try:
        held = client.connect(tmp_path, idle_seconds=0.2)
        held.command("CREATE DATABASE gold")
        pid = owner_pid(tmp_path)
        wait_until_gone(pid)
        assert endpoint.read(tmp_path) is None
        assert held.command("SELECT count() FROM system.databases WHERE name = 'gold'") == 1
    finally:
        client.stop(tmp_path)


def test_a_stopped_owner_leaves_nothing_running(tmp_path: Path) -> None:
    client.connect(tmp_path)
    pid = owner_pid(tmp_path)
    client.stop(tmp_path)
    wait_until_gone(pid)
    assert endpoint.read(tmp_path) is None
    client.stop(tmp_path)


def test_owner_json_and_the_log_are_private(home: Path, clickhouse: Client) -> None:
    folder = home / "clickhouse"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {(folder / name).stat().st_mode & 0o777 for name in ("owner.json", "owner.log")} == {0o600}
    known = endpoint.read(home)
    assert known is not None
    assert known.token not in repr(known)


@pytest.mark.parametrize("user", ["owner", "reader", "default", ""])
def test_a_wrong_password_is_refused(home: Path, clickhouse: Client, user: str) -> None:
    known = endpoint.read(home)
    assert known is not None
    with pytest.raises(DatabaseError) as refused:
        clickhouse_connect.get_client(host="127.0.0.1", port=known.port, username=user, password="wrong")
    assert refused.value.code in (516, 0)


def test_rows_and_parameters_survive_the_round_trip(clickhouse: Client) -> None:
    clickhouse.command("CREATE DATABASE IF NOT EXISTS gold")
    clickhouse.command("CREATE TABLE gold.trip (a Int64, t String, d Date32) ENGINE = MergeTree ORDER BY a")
    hard = "it's \\ a\ttab, a\nline and FORMAT CSV "
    clickhouse.insert("gold.trip", [[1, hard, date(2026, 1, 2)]], column_names=["a", "t", "d"])
    written = clickhouse.insert_arrow("gold.trip", pa.table({"a": [2], "t": [hard], "d": [date(2026, 1, 3)]}))
    assert written.written_rows == 1
    found = clickhouse.query("SELECT * FROM gold.trip WHERE t = {t:String} ORDER BY a", parameters={"t": hard})
    assert found.result_rows == [(1, hard, date(2026, 1, 2)), (2, hard, date(2026, 1, 3))]
    assert clickhouse.query_arrow("SELECT a FROM gold.trip ORDER BY a").to_pylist() == [{"a": 1}, {"a": 2}]
    assert clickhouse.query("SELECT * FROM gold.trip LIMIT 0").column_names == ("a", "t", "d")


def test_a_request_may_be_compressed(home: Path, clickhouse: Client) -> None:
    known = endpoint.read(home)
    assert known is not None
    packed = clickhouse_connect.get_client(
        host="127.0.0.1", port=known.port, username="owner", password=known.token, compress="gzip"
    )
    packed.command("CREATE DATABASE IF NOT EXISTS gold")
    packed.command("CREATE TABLE gold.packed (a Int64) ENGINE = MergeTree ORDER BY a")
    packed.insert("gold.packed", [[n] for n in range(100)], column_names=["a"])
    assert packed.command("SELECT sum(a) FROM gold.packed") == 4950


def test_settings_of_one_request_do_not_reach_the_next(clickhouse: Client) -> None:
    asked = "SELECT getSetting('max_block_size')"
    usual = clickhouse.command(asked)
    assert clickhouse.command(asked, settings={"max_block_size": 123}) == 123
    assert clickhouse.command(asked) == usual


def test_an_error_carries_clickhouse_s_number(clickhouse: Client) -> None:
    with pytest.raises(DatabaseError) as raised:
        clickhouse.query("SELECT * FROM gold.nowhere")
    assert raised.value.code in (60, 81)
