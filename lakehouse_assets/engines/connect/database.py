"""The databases that connectors read: their addresses, and statements that are run there only where they are needed.

Where it stops: which statements a connector needs is `preparation`'s and `removal`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lakehouse_assets.contracts.table import Source
from lakehouse_assets.mendable import Mendable

System = Literal["postgresql", "mysql", "mariadb"]
_SECONDS = 10


class DatabaseError(Mendable):
    """A database could not be reached or refused a statement; one line that names the source and the address."""


class Database(BaseModel):
    """`user` owns the source's tables; `connector_user` is whom the connector logs in as, with a password that only
    Connect knows. `system` is told where it is not the contract's: a MariaDB in MySQL's place. `tls` demands TLS."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(min_length=1)
    port: int = Field(gt=0, lt=65536)
    user: str = Field(min_length=1)
    password: SecretStr = SecretStr("")
    connector_user: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")] = "debezium"
    system: System | None = None
    tls: bool = False

    def system_of(self, source: Source) -> System:
        """Raises ValueError for a source without a connector."""
        if source.connector is None:
            raise ValueError(f"source {source.name} has no connector")
        return self.system or source.connector


@dataclass(frozen=True)
class Step:
    """`statement` is needed where `is_done`, a query with `parameters`, answers false."""

    what: str
    statement: str
    is_done: str
    parameters: tuple[object, ...] = ()


@dataclass(frozen=True)
class Session:
    """One open connection; each statement is a transaction. Raises DatabaseError."""

    source: Source
    database: Database
    cursor: Any

    def ask(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with told_on_one_line(self.source, self.database):
            self.cursor.execute(query, tuple(parameters) or None)
            return list(self.cursor.fetchall())

    def tell(self, statement: str, parameters: Sequence[object] = ()) -> None:
        with told_on_one_line(self.source, self.database):
            self.cursor.execute(statement, tuple(parameters) or None)

    def missing(self, steps: Sequence[Step]) -> list[Step]:
        return [step for step in steps if not self.ask(step.is_done, step.parameters)[0][0]]


@contextmanager
def open_session(source: Source, database: Database) -> Iterator[Session]:
    """Raises DatabaseError."""
    with told_on_one_line(source, database):
        conn = _postgres(source, database) if source.connector == "postgresql" else _mysql(source, database)
    try:
        with conn.cursor() as cursor:
            yield Session(source, database, cursor)
    finally:
        conn.close()


@contextmanager
def told_on_one_line(source: Source, database: Database) -> Iterator[None]:
    """Turns what the drivers raise into a DatabaseError; their messages hold no password."""
    import psycopg2  # type: ignore[import-untyped]
    import pymysql  # type: ignore[import-untyped]

    try:
        yield
    except (psycopg2.Error, pymysql.MySQLError) as error:
        said = str(error.args[-1]).strip().splitlines()[0] if error.args else type(error).__name__
        raise DatabaseError(f"database of {source.name}, {database.host}:{database.port}: {said}") from None


def _postgres(source: Source, database: Database) -> Any:
    import psycopg2

    conn = psycopg2.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password.get_secret_value(),
        dbname=source.database,
        sslmode="require" if database.tls else "prefer",
        connect_timeout=_SECONDS,
    )
    conn.autocommit = True
    return conn


def _mysql(source: Source, database: Database) -> Any:
    import pymysql

    return pymysql.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password.get_secret_value(),
        database=source.database,
        ssl={"check_hostname": False} if database.tls else None,
        connect_timeout=_SECONDS,
        autocommit=True,
    )
