"""How Debezium writes a value that PostgreSQL left out of an update (TOAST), for each type that can be left out.

The placeholder is a text. In a column of bytes it is that text's bytes; in an array one element that is the text, and
where an element cannot be a text, one element per byte of it.
Facts: `unavailable.value.placeholder` at https://debezium.io/documentation/reference/stable/connectors/postgresql.html
and the connector's UnchangedToastedPlaceholder. Where it stops: what value the column has is silver's to find out.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5
from uuid import UUID

from lakehouse_assets.contracts.types import LogicalType

TEXT = "__debezium_unavailable_value"

_BYTES = TEXT.encode()
_AS_BYTES = (b64encode(_BYTES).decode(), _BYTES.hex())
_AS_UUID = str(UUID(bytes=md5(_BYTES, usedforsecurity=False).digest(), version=3))
_AS_HSTORE = f'{{"{TEXT}":"{TEXT}"}}'
_KINDS = ("text", "varchar", "char", "json", "bytes", "array")


def can_stand_for(logical: LogicalType) -> bool:
    """Whether PostgreSQL may store a value of the type out of line."""
    return logical.kind in _KINDS


def stands_in(logical: LogicalType, text: str) -> str:
    """SQL that is true where `text`, a JSON value's text, is the placeholder for a value of the type."""
    if logical.element is None:
        return f"{text} in ({_listed(_forms(logical))})"
    lists = ", ".join(f"[{_listed(elements)}]" for elements in _elements(logical.element))
    given = f"case when json_valid({text}) then from_json({text}, '[\"VARCHAR\"]') end"
    return f"coalesce({given} in ({lists}), false)"


def _forms(logical: LogicalType) -> tuple[str, ...]:
    match logical.kind:
        case "bytes":
            return _AS_BYTES
        case "json":
            return (TEXT, _AS_HSTORE)
        case "uuid":
            return (_AS_UUID,)
        case _:
            return (TEXT,)


def _elements(element: LogicalType) -> list[tuple[str, ...]]:
    """The arrays that stand for an array of such elements, under every encoding of its source."""
    single: list[tuple[str, ...]] = [(form,) for form in dict.fromkeys((TEXT, *_forms(element)))]
    match element.kind:
        case "bool":
            return [*single, tuple("true" for _ in _BYTES)]
        case "int" | "bigint" | "unsigned_bigint" | "double" | "decimal" | "date" | "timestamp" | "timestamptz":
            whole = tuple(str(byte) for byte in _BYTES)
            unscaled = tuple(b64encode(bytes([byte])).decode() for byte in _BYTES)
            return [*single, whole, tuple(f"{byte}.0" for byte in _BYTES), unscaled]
        case _:
            return single


def _listed(texts: tuple[str, ...]) -> str:
    return ", ".join(f"'{text}'" for text in texts)
