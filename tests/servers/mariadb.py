"""MariaDB 10.11 as `deploy/mysql` says, on a port and in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pymysql
from pymysql.connections import Connection

from . import debian
from .deployed import DEPLOY
from .postgres import reachable
from .server import Server, ServerError

_OWN = """
[mariadbd]
bind-address=127.0.0.1
sync_binlog=0
innodb_flush_log_at_trx_commit=0
innodb_buffer_pool_size=64M
"""


class MariaDB(Server):
    """One server on loopback; account `root` with no password. Deployed accounts need theirs."""

    name = "MariaDB"
    user = "mysql"

    def prepare(self) -> Sequence[str]:
        server = debian.program("mariadbd", "mariadb-server")
        data, settings = self.folder / "data", self.folder / "my.cnf"
        reachable(self.folder)
        if not data.exists():
            self._secrets.mkdir()
            settings.write_text(
                f"{(DEPLOY / 'mysql/my.cnf').read_text()}{_OWN}port={self.port}\ndatadir={data}\n"
                f"socket={data / 'socket'}\ntmpdir={self.folder}\nsecure_file_priv={self._secrets}\n"
            )
            debian.own(self.folder, self.user)
            self._install_tables()
        return [server, f"--defaults-file={settings}"]

    def _install_tables(self) -> None:
        command = [shutil.which("mariadb-install-db") or "mariadb-install-db", f"--defaults-file={self.folder}/my.cnf"]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        made = subprocess.run(
            ["setpriv", *self._as_user(), *command], capture_output=True, text=True, check=False, cwd=self.folder
        )
        if made.returncode != 0:
            raise ServerError(f"MariaDB: mariadb-install-db failed: {made.stdout}{made.stderr}")

    def answers(self) -> bool:
        with self.connect():
            return True

    @contextmanager
    def connect(self, database: str | None = None) -> Iterator[Connection]:
        """Each statement is a transaction, unless the caller begins one."""
        conn = pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, charset="utf8mb4", autocommit=True
        )
        try:
            yield conn
        finally:
            conn.close()

    def run(self, script: Path, secrets: Mapping[str, str]) -> None:
        """A file of the client program, as root; `secrets` are the files in secure_file_priv."""
        for name, secret in secrets.items():
            (self._secrets / name).write_text(secret)
        command = ["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", "root"]
        with script.open("rb") as statements:
            done = subprocess.run(command, stdin=statements, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerError(f"MariaDB: {script.name} failed: {done.stderr}")

    @property
    def _secrets(self) -> Path:
        return self.folder / "secrets"

    def create(self, database: str) -> None:
        with self.connect() as conn, conn.cursor() as cursor:
            cursor.execute(f"create database `{database}`")
