"""PostgreSQL 15 with logical replication."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, connection

from . import debian
from .server import Server, ServerError

_PROGRAMS = "/usr/lib/postgresql/15/bin"
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
wal_level = logical
max_replication_slots = 40
max_wal_senders = 40
fsync = off
full_page_writes = off
timezone = 'UTC'
"""


class Postgres(Server):
    """One cluster with trust on loopback; superuser `postgres`."""

    name = "PostgreSQL"
    user = "postgres"

    def prepare(self) -> Sequence[str]:
        server = debian.program("postgres", "postgresql-15", _PROGRAMS)
        data = self.folder / "data"
        if not data.exists():
            reachable(self.folder)
            debian.own(self.folder, self.user)
            command = [f"{_PROGRAMS}/initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
            command = ["setpriv", *self._as_user(), *command, "--locale=C.UTF-8", "--no-sync"]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise ServerError(f"PostgreSQL: initdb failed: {made.stderr}")
            with (data / "postgresql.conf").open("a") as settings:
                settings.write(f"{_SETTINGS}port = {self.port}\n")
        return [server, "-D", str(data)]

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


def reachable(folder: Path) -> None:
    """Let another user enter the private folders that lead to `folder`: pytest's are for their owner alone."""
    if os.geteuid() != 0:
        return
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
