"""The dbt-duckdb plugin `lakehouse`: views over Iceberg when a connection opens, a commit when a model has run.

dbt makes it by module name (profiles.yml), so that what it works on comes from `invocation.current()`.
Where it stops: without an invocation (dbt compile, parse) it does nothing, and storing is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig

from lakehouse_assets.engines.dbt import views
from lakehouse_assets.engines.dbt.invocation import current
from lakehouse_assets.engines.dbt.store import store
from lakehouse_assets.engines.duckdb.session import read_s3


class Plugin(BasePlugin):
    def initialize(self, plugin_config: dict[str, Any]) -> None:
        self._conn: duckdb.DuckDBPyConnection | None = None

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:
        config |= {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        invocation = current()
        if invocation is not None:
            config |= {"memory_limit": invocation.memory_limit, "preserve_insertion_order": False}

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        self._conn = conn
        invocation = current()
        if invocation is not None:
            conn.execute("set TimeZone = 'UTC'")
            read_s3(conn, invocation.catalog.properties)
            views.make_all(conn, invocation)

    def store(self, target_config: TargetConfig) -> None:
        """Commits the Parquet file of `target_config` to the model's table and shows it to the models that read it."""
        invocation = current()
        if invocation is None or self._conn is None or target_config.location is None:
            raise RuntimeError("a model is stored only by a run that the project started: use `lakehouse materialize`")
        relation = target_config.relation
        model = invocation.project.model(f"{relation.schema}.{relation.identifier}")
        staged = Path(target_config.location.path)
        conn = self._conn.cursor()
        conn.execute("set TimeZone = 'UTC'")
        try:
            invocation.keep(model.identifier, store(conn, invocation, model, pq.read_table(staged)))
            views.make_again(conn, invocation, model.identifier)
        finally:
            conn.close()
            staged.unlink()
