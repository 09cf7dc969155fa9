"""MariaDB 10.11 with a row binlog and GTIDs, as Debezium reads it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pymysql
from pymysql.connections import Connection

from . import debian
from .postgres import reachable
from .server import Server, ServerError

_SETTINGS = """
[mariadbd]
bind-address=127.0.0.1
skip-name-resolve
server-id=223344
log_bin=binlog
binlog_format=ROW
binlog_row_image=FULL
binlog_row_metadata=FULL
gtid_strict_mode=ON
sync_binlog=0
innodb_flush_log_at_trx_commit=0
innodb_buffer_pool_size=64M
character-set-server=utf8mb4
default_time_zone='+00:00'
"""


class MariaDB(Server):
    """One server; account `root` with no password, on loopback only."""

    name = "MariaDB"
    user = "mysql"

    def prepare(self) -> Sequence[str]:
        server = debian.program("mariadbd", "mariadb-server")
        data, settings = self.folder / "data", self.folder / "my.cnf"
        if not data.exists():
            reachable(self.folder)
            settings.write_text(f"{_SETTINGS}port={self.port}\ndatadir={data}\nsocket={data / 'socket'}\n")
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

    def create(self, database: str) -> None:
        with self.connect() as conn, conn.cursor() as cursor:
            cursor.execute(f"create database `{database}`")
