"""Connectors as the contracts say, on the real Connect, PostgreSQL and MariaDB, with the accounts of `deploy/`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pymysql
import pytest

from lakehouse_assets.profiles import active
from tests.servers.connect import Connect
from tests.servers.deployed import DEPLOY
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.server import ServerError, wait_until

from .captured import SECRETS, Capture, ask, make_tables, messages, run, slots


@pytest.fixture(scope="module")
def servers(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Capture]:
    folder = tmp_path_factory.mktemp("captured")
    known = {f"DATABASE_PASSWORD_{name}": SECRETS["connector"] for name in ("BANK", "SHOP")}
    with (
        Postgres(folder / "postgres") as postgres,
        MariaDB(folder / "mariadb") as mariadb,
        Connect(folder / "connect", kafka.bootstrap, known) as connect,
    ):
        for script in sorted((DEPLOY / "postgres/init").iterdir()):
            postgres.run(script, {"BANK_PASSWORD": SECRETS["bank"], "DATABASE_PASSWORD_BANK": SECRETS["connector"]})
        for script in sorted((DEPLOY / "mysql/init").iterdir()):
            mariadb.run(
                script,
                {
                    "shop_password": SECRETS["shop"],
                    "connector_password": SECRETS["connector"],
                    "clickhouse_mysql_password": SECRETS["clickhouse"],
                },
            )
        yield Capture(connect, kafka, postgres, mariadb)


@pytest.fixture
def capture(servers: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """With tables, and no connector before and after."""
    databases = {
        "bank": {"host": "127.0.0.1", "port": servers.postgres.port, "user": "bank", "password": SECRETS["bank"]},
        "shop": {
            "host": "127.0.0.1",
            "port": servers.mariadb.port,
            "user": "shop",
            "password": SECRETS["shop"],
            "system": "mariadb",
        },
    }
    for name, value in {
        "PROFILE": "stack",
        "HOME": str(tmp_path),
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka.bootstrap,
        "CONNECT_URL": servers.connect.address,
        "DATABASES": json.dumps(databases),
        "CATALOG_URI": "http://127.0.0.1:1",
        "WAREHOUSE": "none",
        "CLICKHOUSE_HOST": "127.0.0.1",
    }.items():
        monkeypatch.setenv(f"LAKEHOUSE_{name}", value)
    active.settings.cache_clear()
    make_tables(servers)
    yield servers
    for source in ("bank", "shop"):
        servers("delete", source, "--yes")
    active.settings.cache_clear()


def test_an_account_whose_password_is_missing_is_not_made(tmp_path: Path) -> None:
    given = {"shop_password": SECRETS["shop"], "connector_password": ""}
    with MariaDB(tmp_path / "mariadb") as mariadb:
        with pytest.raises(ServerError, match=r"10-accounts.sql failed(.|\n)*NULL"):
            mariadb.run(DEPLOY / "mysql/init/10-accounts.sql", given)
        with mariadb.connect() as conn, conn.cursor() as cursor:
            cursor.execute("select user from mysql.user where host = '%'")
            assert cursor.fetchall() == (("shop",),)


def test_a_server_that_keeps_its_state_in_postgresql_enters_its_own_database_alone(servers: Capture) -> None:
    owners = ("catalog", "dagster", "metabase")
    passwords = {f"{name.upper()}_POSTGRES_PASSWORD": SECRETS["bank"] for name in owners}
    servers.postgres.run(DEPLOY / "metadata/init/10-accounts.sql", passwords)
    entered = ask(
        servers,
        """select rolname, datname from pg_roles, pg_database
        where rolname in ('catalog', 'dagster', 'metabase', 'bank', 'debezium') and not datistemplate
          and datname <> 'postgres' and has_database_privilege(rolname, datname, 'connect') order by 1, 2""",
    )
    own = [(name, name) for name in owners]
    assert entered == sorted([*own, ("bank", "bank"), ("debezium", "bank")])


def test_the_databases_of_the_stack_have_the_contracts_tables(servers: Capture) -> None:
    """Before a test of this module changes them; foreign keys included."""
    found = "select table_name from information_schema.table_constraints where constraint_type = 'FOREIGN KEY' and"
    with servers.mariadb.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute(f"{found} table_schema = 'shop' order by 1")
        assert cursor.fetchall() == (("orders",), ("orders",), ("user_sessions",))
    assert ask(servers, f"{found} table_schema = 'public'") == [("accounts",)]
    identities = "select relname, relreplident from pg_class where relname in ('users', 'accounts') order by 1"
    assert ask(servers, identities) == [("accounts", "f"), ("users", "f")]


def test_a_second_apply_changes_nothing_and_a_dry_run_nothing_at_all(capture: Capture) -> None:
    planned = capture("apply", "--dry-run")
    assert {each["source"] for each in planned} == {"bank", "shop"}
    assert ask(capture, "select to_regnamespace('debezium'), count(*) from pg_publication") == [(None, 0)]
    assert [each["state"] for each in capture("status", code=1)] == ["ABSENT", "ABSENT"]

    assert capture("apply") == planned
    capture.wait_until_running()
    assert capture("apply") == []
    assert capture("apply", "bank") == []

    # What somebody changed is put right, and nothing else.
    run(capture.postgres, "bank", "alter publication lakehouse_bank drop table public.users")
    configured = capture.connect.configuration("shop")
    capture.connect.put("shop", {**configured, "poll.interval.ms": "500"})
    assert [each["what"] for each in capture("apply")] == [
        "tables of publication lakehouse_bank",
        "connector shop: poll.interval.ms",
    ]
    assert capture("apply") == []


def test_changes_of_both_databases_are_told_under_the_contracts_topics_and_lag_is_known(capture: Capture) -> None:
    capture("apply")
    capture.wait_until_running()
    run(capture.postgres, "bank", "insert into users (id) select gen_random_uuid() from generate_series(1, 50)")
    run(capture.mariadb, "shop", "insert into products (id) values (1), (2), (3)")
    wait_until("the changes are told", lambda: capture.told("bank.public.users") == 50)
    wait_until("the changes are told", lambda: capture.told("shop.shop.products") == 3)

    for source in ("bank", "shop"):
        wait_until("an offset is stored", lambda source=source: capture.connect.offsets(source), 90)
        held = capture.status(source)
        assert (held["state"], held["tasks"], held["problem"]) == ("RUNNING", "1/1", None)
        assert 0 <= held["lag_bytes"] < 1_000_000
    # Heartbeats and signals are the connector's own: no topic tells them.
    assert capture.told("bank.debezium.bank_heartbeat") == capture.told("shop.debezium.shop_signals") == 0
    assert ask(capture, "select count(*) from debezium.bank_heartbeat") == [(1,)]


def test_a_table_is_read_beside_the_log_when_it_is_asked_for(capture: Capture) -> None:
    run(capture.postgres, "bank", "insert into users (id) select gen_random_uuid() from generate_series(1, 20)")
    run(capture.mariadb, "shop", "insert into products (id) values (7), (8)")
    capture("apply")
    capture.wait_until_running()
    tables = {("bank", "users"): ("bank.public.users", 20), ("shop", "products"): ("shop.shop.products", 2)}
    for (source, table), (topic, rows) in tables.items():
        assert capture.incremental(topic) == 0
        capture("snapshot", source, table)
        wait_until("the table is told again", lambda topic=topic, rows=rows: capture.incremental(topic) == rows)
    assert "there are accounts, users" in capture("snapshot", "bank", "loans", code=2)


def test_after_delete_no_slot_publication_or_offset_is_left_and_others_stay(capture: Capture) -> None:
    run(capture.postgres, "bank", "select pg_create_logical_replication_slot('somebody', 'pgoutput')")
    run(capture.postgres, "bank", "create publication somebody")
    try:
        capture("apply")
        capture.wait_until_running()
        wait_until("it has a slot", lambda: slots(capture) == ["lakehouse_bank", "somebody"])
        planned = capture("delete", "bank", "--dry-run")
        assert [each["what"] for each in planned] == [
            "connector bank and its offsets",
            "replication slot lakehouse_bank",
            "publication lakehouse_bank",
        ]
        assert capture.status("bank")["state"] == "RUNNING"
        assert "--yes" in capture("delete", "bank", code=2)
        wait_until("an offset is stored", lambda: capture.connect.offsets("bank"), 90)

        assert capture("delete", "bank", "--yes") == planned
        assert slots(capture) == ["somebody"]
        assert ask(capture, "select pubname from pg_publication") == [("somebody",)]
        assert capture("delete", "bank", "--yes") == []
        assert (capture.status("bank", code=1)["state"], capture.status("shop", code=1)["state"]) == (
            "ABSENT",
            "RUNNING",
        )

        # Without offsets it begins anew, with a snapshot of everything.
        run(capture.postgres, "bank", "insert into users (id) values (gen_random_uuid())")
        before = capture.told("bank.public.users")
        capture("apply", "bank")
        rows = ask(capture, "select count(*) from users")[0][0]
        wait_until("all is told again", lambda: capture.told("bank.public.users") == before + rows)
    finally:
        run(capture.postgres, "bank", "drop publication somebody")
        run(capture.postgres, "bank", "select pg_drop_replication_slot('somebody')")


def test_a_slot_of_the_name_that_is_not_its_own_is_left_as_it_is(capture: Capture) -> None:
    run(capture.postgres, "postgres", "select pg_create_logical_replication_slot('lakehouse_bank', 'pgoutput')")
    try:
        refused = capture("delete", "bank", "--yes", code=1)
        assert "slot lakehouse_bank is of another database or plugin" in refused
        assert slots(capture) == ["lakehouse_bank"]
    finally:
        run(capture.postgres, "postgres", "select pg_drop_replication_slot('lakehouse_bank')")


def test_a_task_that_failed_is_shown_with_its_first_line(capture: Capture) -> None:
    capture("apply", "bank")
    capture.connect.wait_until_running("bank")
    configured = capture.connect.configuration("bank")
    capture.connect.put("bank", {**configured, "publication.name": "nobody", "slot.name": "nobody"})
    with pytest.raises(ServerError):
        wait_until("it fails", lambda: capture.connect.runs("bank") and False)

    held = capture.status("bank", code=1)
    assert (held["state"], held["tasks"]) == ("FAILED", "0/1")
    assert "Exception" in held["problem"]
    assert "\n" not in held["problem"]
    run(
        capture.postgres,
        "bank",
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 'nobody'",
    )


def test_no_password_is_in_configuration_topics_logs_or_process_lists(capture: Capture) -> None:
    capture("apply")
    capture.wait_until_running()
    shown = {
        "configuration": json.dumps([capture.connect.configuration(name) for name in ("bank", "shop")]),
        "topic of configurations": "".join(str(m) for m in messages(capture.kafka, "_connect_configs")),
        "logs": "".join(server.log.read_text() for server in (capture.connect, capture.postgres, capture.mariadb)),
        "process list": " ".join(" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])),
    }
    found = [(where, name) for where, text in shown.items() for name, secret in SECRETS.items() if secret in text]
    assert found == []
    assert "${env:DATABASE_PASSWORD_BANK}" in shown["topic of configurations"]


def test_the_connectors_account_may_not_write_what_it_captures(capture: Capture) -> None:
    capture("apply")
    login = {"host": "127.0.0.1", "user": "debezium", "password": SECRETS["connector"]}
    bank = psycopg2.connect(port=capture.postgres.port, dbname="bank", **login)
    shop = pymysql.connect(port=capture.mariadb.port, database="shop", **login)
    with bank, bank.cursor() as cursor:
        cursor.execute("select count(*) from users")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("delete from users")
    with shop, shop.cursor() as cursor:
        cursor.execute("select count(*) from users")
        with pytest.raises(pymysql.MySQLError, match="DELETE command denied"):
            cursor.execute("delete from users")
    bank.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda given: given["bank"].update(password="wrong"), "database of bank, 127.0.0.1:"),
        (lambda given: given["bank"].update(port=1), "database of bank, 127.0.0.1:1:"),
        (lambda given: given["shop"].update(password="wrong"), "database of shop, 127.0.0.1:"),
    ],
)
def test_a_database_that_refuses_is_one_line(
    capture: Capture, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], said: str
) -> None:
    given = {name: json.loads(each.model_dump_json()) for name, each in active.settings().databases.items()}
    for name, each in given.items():
        each["password"] = SECRETS[name]
    change(given)
    with monkeypatch.context() as patch:
        patch.setenv("LAKEHOUSE_DATABASES", json.dumps(given))
        active.settings.cache_clear()
        refused = capture("apply", code=1)
        assert said in refused
        assert refused.count("\n") == 1
    active.settings.cache_clear()
