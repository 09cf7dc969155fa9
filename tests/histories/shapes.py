"""Random contracts: a drawn shape as the project's declaration, and typed in again for the independent model.

The values of a column are few, so that rows repeat; each pool has awkward ones, and `wrong` is no value of the type.
Where it stops: what happens to a table's rows is `steps`'.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

from lakehouse_assets.contracts import types
from lakehouse_assets.contracts.rules import at_least
from lakehouse_assets.contracts.table import Column, Source, Table
from lakehouse_assets.contracts.types import LogicalType
from tests import model
from tests.model.tables import Column as ModelColumn
from tests.model.tables import Kind as ModelKind
from tests.model.tables import Table as ModelTable

Feed = Literal["postgresql", "mariadb"]


@dataclass(frozen=True)
class Kind:
    """A type in the contract's and in the model's words, with its values as Debezium writes them."""

    postgresql: LogicalType
    mariadb: LogicalType
    model: ModelKind
    values: tuple[Any, ...]
    wrong: Any = None

    def logical(self, feed: Feed) -> LogicalType:
        return self.postgresql if feed == "postgresql" else self.mariadb


_EXACT = types.decimal(9, 2)
KINDS: dict[str, Kind] = {
    "text": Kind(types.text, types.varchar(80), "text", (None, "plain", "", 'O\'Brien; "é🎯"', "NULL")),
    "int": Kind(types.integer, types.integer, "int", (None, 1, 0, -(2**31), 2**31 - 1), 2**31),
    "bigint": Kind(types.bigint, types.bigint, "bigint", (None, 1, 2**53 + 1, -(2**63)), "many"),
    "decimal": Kind(_EXACT, _EXACT, "decimal", (None, "1.50", "0.00", "-9999999.99", "0.01"), "1.005"),
    "bool": Kind(types.boolean, types.boolean, "bool", (None, True, False), "maybe"),
    "date": Kind(types.date, types.date, "date", (None, "2026-01-05Z", "1969-12-31Z", "9999-12-31Z"), "2026-02-30Z"),
    "instant": Kind(
        types.timestamptz(6),
        types.timestamp(6),
        "instant",
        (None, "2026-01-05T12:00:00Z", "1969-12-31T23:59:59.999999Z", "2038-01-19T03:14:07.5Z"),
        "yesterday",
    ),
}
KEYS: dict[str, tuple[Any, ...]] = {
    "int": (1000, 0, -7, 2**31 - 1, 5, 6),
    "text": ("a", "", "a/b c=d", "é🎯", "O'Brien", "NULL"),
    "uuid": tuple(f"00000000-0000-4000-8000-00000000000{n}" for n in range(6)),
}
_KEY_TYPES = {"int": types.integer, "text": types.varchar(40), "uuid": types.uuid}


@dataclass(frozen=True)
class Shape:
    """A table in short: columns of the key and others by kind; `partitioned` by its first column that can be, `ruled`
    with a rule."""

    feed: Feed = "postgresql"
    key: tuple[str, ...] = ("int",)
    columns: tuple[str, ...] = ("text", "int")
    partitioned: bool = False
    ruled: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"c{number}" for number in range(len(self.columns)))

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(f"k{number}" for number in range(len(self.key)))

    def key_of(self, number: int) -> dict[str, Any]:
        """The key of a row; keys of several columns share the values of each."""
        parts = (number,) if len(self.key) == 1 else (number // 2, number % 2)
        return {n: KEYS[kind][part] for n, kind, part in zip(self.key_names, self.key, parts, strict=True)}

    @property
    def table_name(self) -> str:
        return f"t{zlib.crc32(repr(self).encode()):08x}"

    @property
    def topic(self) -> str:
        return f"random.{self.table_name}"

    @property
    def leaves_out(self) -> frozenset[str]:
        """Columns that PostgreSQL may store out of line."""
        return frozenset(n for n, k in zip(self.names, self.columns, strict=True) if k == "text" and self._is_postgres)

    @property
    def _is_postgres(self) -> bool:
        return self.feed == "postgresql"

    def contract(self) -> Table:
        source = Source(
            name="random",
            kind="cdc",
            description="Drawn.",
            owner="team:tests",
            topic="random.{table}",
            connector="postgresql" if self._is_postgres else "mysql",
            database="random",
            schema="public" if self._is_postgres else None,
        )
        columns = [
            Column(name, _KEY_TYPES[kind], "Of the key.") for name, kind in zip(self.key_names, self.key, strict=True)
        ]
        for name, kind in zip(self.names, self.columns, strict=True):
            rules = (at_least(1),) if self.ruled and kind in ("int", "decimal") else ()
            columns.append(Column(name, KINDS[kind].logical(self.feed), "Drawn.", kind == "text", rules))
        partitions = self._partitions()
        return Table(source, self.table_name, "Drawn.", self.key_names, tuple(columns), partition_by=partitions)

    def described(self) -> ModelTable:
        """The same for the model. Rules are left out: a broken one changes no row that the model knows."""
        decimals = {"precision": 9, "scale": 2}
        keys = zip(self.key_names, self.key, strict=True)
        columns = [ModelColumn(name, "int" if kind == "int" else "text") for name, kind in keys]
        for name, kind in zip(self.names, self.columns, strict=True):
            columns.append(ModelColumn(name, KINDS[kind].model, True, **(decimals if kind == "decimal" else {})))
        return ModelTable("random", self.table_name, self.feed, self.topic, self.key_names, tuple(columns))

    def _partitions(self) -> tuple[tuple[Any, str], ...]:
        if not self.partitioned:
            return ()
        named = {kind: name for name, kind in reversed(list(zip(self.names, self.columns, strict=True)))}
        found = [(way, named[kind]) for kind, way in (("text", "identity"), ("instant", "month")) if kind in named]
        return tuple(found[:1])


def declared(shape: Shape) -> Table:
    """The contract, which the model knows from now on as well."""
    model.TABLES[f"random_{shape.table_name}"] = shape.described()
    return shape.contract()


def shapes() -> st.SearchStrategy[Shape]:
    return st.builds(
        Shape,
        feed=st.sampled_from(("postgresql", "mariadb")),
        key=st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=2).map(tuple),
        columns=st.lists(st.sampled_from(["text", *sorted(KINDS)]), min_size=1, max_size=4).map(tuple),
        partitioned=st.booleans(),
        ruled=st.booleans(),
    )
