"""How Debezium wrote a value: as the contract's source says, or as the schema that came with the message says.

Facts: https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types and
https://debezium.io/documentation/reference/stable/connectors/mariadb.html#mariadb-data-types.
Where it stops: reading a value that is so written is `decoding`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lakehouse_assets.contracts.table import Source
from lakehouse_assets.contracts.types import LogicalType

Form = Literal[
    "json", "precise", "float", "days", "millis", "micros", "nanos", "iso", "base64", "base64url", "hex", "bits"
]


@dataclass(frozen=True)
class Encoding:
    """`json` is the JSON value itself: text, integer, boolean or a decimal's text.

    `precise` is base64 of the unscaled number, with `scale` its column's, or a struct that brings its own scale;
    `float` a JSON number that was a binary one; `days` to `nanos` count from 1970 or midnight. `element` is an array's.
    """

    form: Form
    scale: int | None = None
    element: Encoding | None = None


JSON = Encoding("json")

_DECIMALS: dict[str, Form] = {"precise": "precise", "string": "json", "double": "float"}
_COUNTS: dict[str, Form] = {"connect": "millis", "isostring": "iso", "microseconds": "micros", "nanoseconds": "nanos"}
_TIMES = ("date", "time", "timestamptz", "timestamp", "datetime", "interval")
_SIMPLE: dict[str, Form] = {
    "real": "float",
    "double": "float",
    "timestamptz": "iso",
    "timestamp": "iso",
    "bits": "bits",
}
_BYTES: dict[str, Form] = {"bytes": "base64", "base64": "base64", "base64-url-safe": "base64url", "hex": "hex"}
_NAMED: dict[str, Form] = {
    "org.apache.kafka.connect.data.Decimal": "precise",
    "io.debezium.data.VariableScaleDecimal": "precise",
    "io.debezium.data.Bits": "bits",
    "io.debezium.time.Date": "days",
    "org.apache.kafka.connect.data.Date": "days",
    "io.debezium.time.Time": "millis",
    "org.apache.kafka.connect.data.Time": "millis",
    "io.debezium.time.Timestamp": "millis",
    "org.apache.kafka.connect.data.Timestamp": "millis",
    "io.debezium.time.MicroTime": "micros",
    "io.debezium.time.MicroTimestamp": "micros",
    "io.debezium.time.MicroDuration": "micros",
    "io.debezium.time.NanoTime": "nanos",
    "io.debezium.time.NanoTimestamp": "nanos",
    "io.debezium.time.ZonedTimestamp": "iso",
    "io.debezium.time.IsoDate": "iso",
    "io.debezium.time.IsoTime": "iso",
    "io.debezium.time.IsoTimestamp": "iso",
    "io.debezium.time.Interval": "iso",
}
_TYPED: dict[str, Form] = {"bytes": "base64", "float": "float", "double": "float"}


def declared(logical: LogicalType, source: Source) -> Encoding:
    """How the source's connector was told to write the type. CSV files and events write ISO 8601 and decimal text."""
    if logical.element is not None:
        return Encoding("json", element=declared(logical.element, source))
    if source.kind != "cdc":
        return Encoding("iso" if logical.kind in _TIMES else "base64" if logical.kind == "bytes" else "json")
    match logical.kind:
        case "decimal" | "numeric":
            return Encoding(_DECIMALS[source.decimal], logical.scale)
        case "unsigned_bigint":
            return Encoding("precise", 0) if source.unsigned == "precise" else JSON
        case "bytes":
            return Encoding(_BYTES[source.binary])
        case "date":
            return Encoding("iso" if source.time == "isostring" else "days")
        case "time" | "datetime":
            return Encoding(_counted(logical, source))
        case "interval" | "duration" if source.connector == "postgresql":
            return Encoding("iso" if source.interval == "string" else "micros")
        case "duration":
            return Encoding(_COUNTS.get(source.time, "micros"))
        case kind:
            return Encoding(_SIMPLE.get(kind, "json"))


def embedded(schema: Mapping[str, Any], otherwise: Encoding) -> Encoding:
    """How a field of the schema that came with a message says that its values are written.

    Of bytes in a string the schema says no more than that: they are written `otherwise`.
    """
    name, kind = str(schema.get("name")), str(schema.get("type"))
    if kind == "array" and isinstance(items := schema.get("items"), Mapping):
        return Encoding("json", element=embedded(items, otherwise.element or JSON))
    if kind == "string" and otherwise.form in _BYTES.values():
        return otherwise
    form = _NAMED.get(name) or _TYPED.get(kind, "json")
    scale = (schema.get("parameters") or {}).get("scale")
    return Encoding(form, int(scale)) if form == "precise" and scale is not None else Encoding(form)


def _counted(logical: LogicalType, source: Source) -> Form:
    """The adaptive modes count as finely as the column's precision; times of day in microseconds where they say so."""
    if source.time == "adaptive_time_microseconds" and logical.kind == "time":
        return "micros"
    return _COUNTS.get(source.time, "millis" if (logical.precision or 0) <= 3 else "micros")
