"""The eleven source tables, typed in from TABLES.md and from nowhere else.

`Column.kind` is text, int, bigint, bool, decimal, date, datetime (without zone) or instant (with zone).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

Kind = Literal["text", "int", "bigint", "bool", "decimal", "date", "datetime", "instant"]
Feed = Literal["postgresql", "mariadb", "events", "files"]


@dataclass(frozen=True)
class Column:
    """One column. `precision` and `scale` are a decimal's; the last four are its rules."""

    name: str
    kind: Kind
    nullable: bool = False
    precision: int = 0
    scale: int = 0
    one_of: tuple[str, ...] = ()
    at_least: int | None = None
    at_most: int | None = None
    starts_with: str = ""

    def broken_rule(self, value: Any) -> str | None:
        """The name of the first rule that a cast value breaks, or None."""
        if value is None:
            return None if self.nullable else f"{self.name}_is_not_null"
        if self.one_of and value not in self.one_of:
            return f"{self.name}_is_known"
        if self.at_least is not None and value < Decimal(self.at_least):
            return f"{self.name}_is_at_least_{self.at_least}"
        if self.at_most is not None and value > Decimal(self.at_most):
            return f"{self.name}_is_at_most_{self.at_most}"
        if self.starts_with and not value.startswith(self.starts_with):
            return f"{self.name}_starts_with_{self.starts_with}"
        return None


@dataclass(frozen=True)
class Table:
    """One source table. `topic` is the Kafka topic, or `files/<source>/<table>` for CSV files."""

    source: str
    name: str
    feed: Feed
    topic: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def id(self) -> str:
        return f"{self.source}_{self.name}"

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def payload(self) -> tuple[Column, ...]:
        """All columns but those of the key."""
        return tuple(column for column in self.columns if column.name not in self.key)


def _text(name: str, nullable: bool = False, one_of: str = "", starts_with: str = "") -> Column:
    return Column(name, "text", nullable, one_of=tuple(one_of.split()), starts_with=starts_with)


def _int(name: str, at_least: int | None = None) -> Column:
    return Column(name, "int", at_least=at_least)


def _decimal(name: str, precision: int, scale: int, at_least: int | None = None, at_most: int | None = None) -> Column:
    return Column(name, "decimal", precision=precision, scale=scale, at_least=at_least, at_most=at_most)


def _at(name: str, kind: Kind = "instant") -> Column:
    return Column(name, kind)


def _bank(name: str, *columns: Column) -> Table:
    return Table("bank", name, "postgresql", f"bank.public.{name}", ("id",), columns)


def _shop(name: str, *columns: Column) -> Table:
    return Table("shop", name, "mariadb", f"shop.shop.{name}", ("id",), columns)


def _retail(name: str, key: str, *columns: Column) -> Table:
    return Table("retail", name, "files", f"files/retail/{name}", (key,), columns)


_ALL = (
    _bank(
        "users",
        *(_text("id"), _text("email"), _text("name"), _text("notes", nullable=True)),
        *(_at("created_at"), _at("updated_at")),
    ),
    _bank(
        "accounts",
        *(_text("id"), _text("user_id"), _text("account_type", one_of="checking savings credit"), _text("currency")),
        *(_decimal("balance", 15, 2), _text("status", one_of="active frozen closed")),
        *(_at("created_at"), _at("updated_at")),
    ),
    _shop(
        "users",
        *(_int("id"), _text("username"), _text("email"), _text("full_name"), _text("country")),
        *(Column("birth_date", "date", nullable=True), Column("is_active", "bool")),
        *(_at("created_at", "datetime"), _at("updated_at")),
    ),
    _shop(
        "products",
        *(_int("id"), _text("sku"), _text("name"), _text("category"), _decimal("price", 10, 2, at_least=0)),
        *(_int("stock"), _at("created_at", "datetime"), _at("updated_at")),
    ),
    _shop(
        "orders",
        *(_int("id"), _int("user_id"), _int("product_id"), _int("quantity", at_least=1)),
        *(_decimal("unit_price", 10, 2), _decimal("total_amount", 12, 2, at_least=0)),
        _text("status", one_of="pending paid shipped delivered cancelled returned"),
        *(_at("order_date", "datetime"), _at("updated_at")),
    ),
    _shop(
        "user_sessions",
        *(Column("id", "bigint"), _int("user_id"), _text("device", one_of="web mobile tablet")),
        *(_text("ip_address", nullable=True), _at("started_at", "datetime"), _at("last_activity", "datetime")),
        Column("is_active", "bool"),
    ),
    Table(
        *("clickstream", "user_events", "events", "user-events", ("event_id",)),
        columns=(
            *(_text("event_id"), Column("user_id", "bigint", at_least=1)),
            *(_text("event_type", one_of="login click purchase logout"), _text("page", starts_with="/")),
            *(_at("timestamp"), _text("source", one_of="web mobile")),
        ),
    ),
    _retail(
        "customers",
        "customer_id",
        *(_int("customer_id"), _text("first_name"), _text("last_name"), _text("email"), _text("country")),
        Column("signup_date", "date"),
    ),
    _retail(
        "products",
        "product_id",
        *(_int("product_id"), _text("product_name"), _text("category")),
        *(_decimal("price", 10, 2, at_least=0), _decimal("cost", 10, 2, at_least=0)),
    ),
    _retail(
        "orders",
        "order_id",
        *(_int("order_id"), _int("customer_id"), Column("order_date", "date")),
        *(_text("status", one_of="placed shipped completed returned cancelled"), _text("payment_method")),
        _decimal("shipping_cost", 10, 2, at_least=0),
    ),
    _retail(
        "order_items",
        "order_item_id",
        *(_int("order_item_id"), _int("order_id"), _int("product_id"), _int("quantity", at_least=1)),
        *(_decimal("unit_price", 10, 2, at_least=0), _decimal("discount", 5, 4, at_least=0, at_most=1)),
    ),
)

TABLES: dict[str, Table] = {each.id: each for each in _ALL}


def table(table_id: str) -> Table:
    """The table of this `<source>_<table>`; a KeyError names an unknown one."""
    return TABLES[table_id]
