"""The command line in this process, over a lakehouse of its own per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import Result
from pyiceberg.catalog import Catalog
from typer.testing import CliRunner

from lakehouse_assets.cli.main import app
from lakehouse_assets.engines.clickhouse.client import stop
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure
from lakehouse_assets.profiles import active

Lakehouse = Callable[..., Result]

_DAY = date(2026, 1, 5)
_AMOUNT = Decimal("12.50")


@contextmanager
def home_at(path: Path) -> Iterator[Path]:
    """LAKEHOUSE_HOME is there, and nothing else is set."""
    with pytest.MonkeyPatch.context() as patch:
        for setting in ("LAKEHOUSE_PROFILE", "DAGSTER_HOME"):
            patch.delenv(setting, raising=False)
        patch.setenv("LAKEHOUSE_HOME", str(path))
        active.settings.cache_clear()
        active.platform.cache_clear()
        yield path
        stop(path)
        active.settings.cache_clear()
        active.platform.cache_clear()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """LAKEHOUSE_HOME of the test, empty."""
    with home_at(tmp_path / "home") as path:
        yield path


@pytest.fixture
def lakehouse(home: Path) -> Lakehouse:
    """Calls `lakehouse` with arguments."""
    runner = CliRunner()

    def call(*arguments: str) -> Result:
        result = runner.invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def held(home: Path) -> Catalog:
    """A catalog that holds `marts.days` with three rows and the empty `silver.nothing`."""
    catalog = active.platform().open_catalog()
    schema = pa.schema(
        [pa.field("day", pa.date32()), pa.field("amount", pa.decimal128(9, 2)), pa.field("rate", pa.float64())]
    )
    rows = pa.Table.from_pylist(
        [
            {"day": _DAY, "amount": _AMOUNT, "rate": float("nan")},
            {"day": _DAY, "amount": None, "rate": 0.1},
            {"day": _DAY, "amount": _AMOUNT, "rate": float("inf")},
        ],
        schema=schema,
    )
    table = ensure(catalog, TableSpec("marts.days", schema))
    commit(table, summary={}, added=write_files(table, rows))
    ensure(catalog, TableSpec("silver.nothing", schema))
    return catalog
