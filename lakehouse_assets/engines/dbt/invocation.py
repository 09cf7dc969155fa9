"""What one dbt invocation works on, handed to the plugin in process: dbt itself can pass it only text.

One invocation at a time holds the place; whoever asks without one gets None, as when dbt only compiles.
Where it stops: tables are loaded here once per invocation, so that a model reads its parents as of one moment.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from lakehouse_assets.engines.dbt.project import Model, Project, Test
from lakehouse_assets.engines.iceberg.tables import load


@dataclass(frozen=True)
class DayRange:
    """Days from `first` to `last`, both included. `origin` is the first day there is: it stands for all before it."""

    first: date
    last: date
    origin: date

    @property
    def lowest(self) -> date:
        return date.min if self.first <= self.origin else self.first

    def __contains__(self, day: date) -> bool:
        return self.lowest <= day <= self.last


@dataclass
class Invocation:
    """`models` are those that run, in order; `days` the run's range, for date-grained models only.

    `tested` gives, for models whose tests all passed, the number of the snapshot that they passed on.
    """

    catalog: Catalog
    project: Project
    models: Sequence[Model]
    tests: Sequence[Test]
    staging: Path
    memory_limit: str
    first_day: date
    days: DayRange | None = None
    tested: Mapping[str, int] = field(default_factory=dict)
    _tables: dict[str, Table | None] = field(default_factory=dict)

    def table(self, identifier: str) -> Table | None:
        """The table as of the invocation's first look, or as of its own commit; None where it does not exist."""
        if identifier not in self._tables:
            # Of two threads that look at once the first one's table counts: a mark must be of the rows that were read.
            self._tables.setdefault(identifier, load(self.catalog, identifier))
        return self._tables[identifier]

    def keep(self, identifier: str, table: Table) -> None:
        """Makes what a model has committed visible to its readers in this invocation."""
        self._tables[identifier] = table

    def parents_of(self, model: Model) -> Mapping[str, Table]:
        """The parents' tables that exist."""
        found = {p: self.table(p) for p in model.parents}
        return {p: t for p, t in found.items() if t is not None}

    def dated_parents_of(self, model: Model) -> dict[str, tuple[Table, str | None]]:
        """The parents' tables with the day column that a model declares; a source's is found in its partitioning."""
        return {p: (t, self.day_column_of(p)) for p, t in self.parents_of(model).items()}

    @property
    def day_range(self) -> DayRange:
        """The run's days. Raises ValueError where it was started without."""
        if self.days is None:
            raise ValueError("a model that is built by day needs a day or a range")
        return self.days

    def day_column_of(self, identifier: str) -> str | None:
        """A model's declared day column; a source's is found in its partitioning."""
        model = self.project.models.get(identifier)
        return model.day_column if model is not None else None


_lock = threading.Lock()
_active: Invocation | None = None


@contextmanager
def active(invocation: Invocation) -> Iterator[None]:
    """Holds the place for the duration; a second invocation in this process waits."""
    global _active
    with _lock:
        _active = invocation
        try:
            yield
        finally:
            _active = None


def current() -> Invocation | None:
    return _active
