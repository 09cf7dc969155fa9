"""Finds every contract: a package with a `source.py` is a source, each other module in it declares a `TABLE`.

Where it stops: it imports modules of this package and nothing else; no file is read.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from lakehouse_assets import contracts
from lakehouse_assets.contracts.rules import RefersTo
from lakehouse_assets.contracts.table import Source, Table
from lakehouse_assets.mendable import BadInput, Mendable


class UnknownTable(BadInput):
    """A table that no contract declares; the message names the valid ones."""


class InvalidContract(Mendable):
    """A contract that contradicts itself; the message names its file or table."""


@cache
def sources() -> tuple[Source, ...]:
    """Every source, by name. Raises InvalidContract."""
    packages = sorted(m.name for m in pkgutil.iter_modules(contracts.__path__) if m.ispkg)
    return tuple(_declared(f"{contracts.__name__}.{p}.source").SOURCE for p in packages)


@cache
def tables() -> tuple[Table, ...]:
    """Every table, by source and name. Raises InvalidContract, also for a reference to a table that is not there."""
    found = tuple(table for source in sources() for table in _tables_of(source))
    ids = {t.id for t in found}
    for table in found:
        for column in table.columns:
            for rule in column.table_rules:
                if isinstance(rule, RefersTo) and f"{table.source.name}_{rule.table}" not in ids:
                    raise InvalidContract(f"{table.id}.{column.name} refers to {rule.table!r}, which is not a table")
    return found


def _tables_of(source: Source) -> list[Table]:
    package = importlib.import_module(f"{contracts.__name__}.{source.name}")
    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name != "source")
    return [_declared(f"{package.__name__}.{name}").TABLE for name in names]


def _declared(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ValueError as error:
        raise InvalidContract(f"{module.replace('.', '/')}.py: {error}") from error


def table(table_id: str) -> Table:
    """The contract of `bank_users`. Raises UnknownTable."""
    for candidate in tables():
        if candidate.id == table_id:
            return candidate
    raise UnknownTable(f"no table {table_id!r}; there are {', '.join(t.id for t in tables())}")
