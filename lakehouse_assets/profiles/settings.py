"""What can be set, with defaults and bounds; a field `home` is the environment variable `LAKEHOUSE_HOME`.

Where it stops: `active` alone reads the environment; a test or a tool makes its own `Settings`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from lakehouse_assets.contracts.registry import UnknownTable, table
from lakehouse_assets.contracts.table import Engine
from lakehouse_assets.engines.connect.database import Database
from lakehouse_assets.engines.platform import Automation

PREFIX = "LAKEHOUSE_"


def variable(field: str) -> str:
    """The environment variable of a field."""
    return f"{PREFIX}{field.upper()}"


def _whole_path(path: Path) -> Path:
    whole = path.expanduser().resolve()
    if set("?#%*[") & set(str(whole)):
        raise ValueError("must be a path without ? # % * [, which addresses and file patterns take for something else")
    return whole


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("must not hold user or password, which have settings of their own")
    return text


def _from_json(given: object) -> object:
    """Of a variable it is text; what was wrong with it is not repeated, because it holds passwords."""
    try:
        return json.loads(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError("must be JSON") from None


def _table_ids(text: str) -> str:
    for table_id in filter(None, text.split(",")):
        try:
            table(table_id)
        except UnknownTable as error:
            raise ValueError(f"{error}; ids are separated by commas") from error
    return text


TableIds = Annotated[str, AfterValidator(_table_ids)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Port = Annotated[int, Field(gt=0, lt=65536)]


class Settings(BaseModel):
    """Frozen; secrets are hidden in its text and in its errors. Raises pydantic's ValidationError."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    profile: Literal["embedded", "stack"] = "embedded"
    home: Annotated[Path, AfterValidator(_whole_path)] = Path(".lakehouse")
    dagster_yaml: Annotated[Path, AfterValidator(_whole_path)] | None = None
    batch_messages: int = Field(default=100_000, gt=0)
    memory_limit: str = Field(default="1GB", pattern=r"^[0-9]+(\.[0-9]+)? ?([KMGT]i?B|%)$")
    let_floods_in: TableIds = ""
    backups: Annotated[Path, AfterValidator(_whole_path)] | None = None

    automate: bool = False
    interval_seconds: int = Field(default=300, gt=0)
    events_interval_seconds: int = Field(default=10, gt=0)
    tables_at_once: int = Field(default=4, gt=0)

    patience_seconds: float = Field(default=60.0, ge=0)
    """How long a run waits for a server of the stack that does not answer."""

    kafka_bootstrap_servers: str | None = Field(default=None, min_length=1)
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: Path | None = None

    connect_url: WebAddress | None = None
    databases: Annotated[dict[str, Database], BeforeValidator(_from_json)] = Field(default={}, repr=False)

    catalog_uri: WebAddress | None = None
    catalog_credential: SecretStr | None = None
    warehouse: str | None = Field(default=None, min_length=1)
    deliveries: str = Field(default="", pattern=r"^(s3://[a-z0-9][a-z0-9.-]*(/[A-Za-z0-9._=-]+)*/?)?$")
    s3_endpoint: WebAddress | None = None
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"

    refine_engine: Engine = "duckdb"
    maintenance_engine: Engine = "duckdb"
    spark_master: str | None = Field(default=None, pattern=r"^(local\[(\d+|\*)\]|(spark|k8s|yarn)(:.+)?)$")
    spark_jars: Path | None = None
    spark_driver_memory: str = Field(default="1g", pattern=r"^[0-9]+[mg]$")
    spark_executor_memory: str = Field(default="2g", pattern=r"^[0-9]+[mg]$")
    spark_cores: int = Field(default=2, gt=0)
    """How many cores of a cluster it takes in all."""

    clickhouse_host: str | None = Field(default=None, min_length=1)
    clickhouse_port: Port = 8123
    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_secure: bool = False

    # dbt_project/profiles.yml reads these itself.
    trino_host: str = "localhost"
    trino_port: Port = 8080
    trino_user: str = "lakehouse"
    trino_scheme: Literal["http", "https"] = "http"
    trino_password: SecretStr | None = None
    trino_ca_location: Path | None = None

    @property
    def automation(self) -> Automation:
        return Automation(self.interval_seconds, self.events_interval_seconds, self.tables_at_once, self.automate)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        needed: list[str] = []
        if self.profile == "stack":
            needed += ["kafka_bootstrap_servers", "catalog_uri", "warehouse", "clickhouse_host"]
        if self.profile == "embedded" and "spark" in (self.refine_engine, self.maintenance_engine):
            raise ValueError("Spark is of the profile stack")
        if "spark" in (self.refine_engine, self.maintenance_engine) or self.spark_master:
            needed += ["spark_master", "spark_jars"]
        if self.kafka_security_protocol.startswith("SASL"):
            needed += ["kafka_sasl_username", "kafka_sasl_password"]
        if self.s3_access_key or self.s3_secret_key:
            needed += ["s3_access_key", "s3_secret_key"]
        missing = [variable(field) for field in needed if getattr(self, field) is None]
        if self.trino_password is not None and self.trino_scheme != "https":
            raise ValueError(f"{variable('trino_password')} needs {variable('trino_scheme')}=https")
        if missing:
            raise ValueError(f"{', '.join(missing)} must be set too")
        return self
