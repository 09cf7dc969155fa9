"""PostgreSQL 15 as `deploy/postgres` says, on a port and in a folder of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, connection

from . import debian
from .deployed import DEPLOY
from .server import Server, ServerError

_PROGRAMS = "/usr/lib/postgresql/15/bin"
_OWN = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off"]
ACCOUNTS = {"bank": "BANK_PASSWORD", "debezium": "DATABASE_PASSWORD_BANK"}
"""The accounts that `deploy/postgres/init` makes, and the variables of their passwords."""


class Postgres(Server):
    """One cluster; superuser `postgres` without a password, on loopback. Deployed accounts need theirs."""

    name = "PostgreSQL"
    user = "postgres"

    def prepare(self) -> Sequence[str]:
        server = debian.program("postgres", "postgresql-15", _PROGRAMS)
        data = self.folder / "data"
        reachable(self.folder)
        if not data.exists():
            debian.own(self.folder, self.user)
            command = [f"{_PROGRAMS}/initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
            command = ["setpriv", *self._as_user(), *command, "--locale=C.UTF-8", "--no-sync"]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise ServerError(f"PostgreSQL: initdb failed: {made.stderr}")
            rules = data / "pg_hba.conf"
            asked = f"host all {','.join(ACCOUNTS)} 127.0.0.1/32 scram-sha-256\n"
            rules.write_text(asked + rules.read_text())
        own = [f"port={self.port}", *_OWN]
        settings = [f"config_file={DEPLOY / 'postgres/postgresql.conf'}", *own]
        return [server, "-D", str(data), *(argument for each in settings for argument in ("-c", each))]

    def answers(self) -> bool:
        with self.connect("postgres"):
            return True

    @contextmanager
    def connect(self, database: str) -> Iterator[connection]:
        """Each statement is a transaction, unless the caller begins one."""
        conn = psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database)
        try:
            conn.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            yield conn
        finally:
            conn.close()

    def create(self, database: str) -> None:
        with self.connect("postgres") as conn, conn.cursor() as cursor:
            cursor.execute(f'create database "{database}"')

    def run(self, script: Path, environment: Mapping[str, str]) -> None:
        """A file of psql, as the superuser."""
        command = ["psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-f", str(script)]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerError(f"PostgreSQL: {script.name} failed: {done.stderr}")


def reachable(folder: Path) -> None:
    """Let another user enter the private folders that lead to `folder`: pytest's are for their owner alone."""
    if os.geteuid() != 0:
        return
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
