"""Debezium's values, decoded exactly in DuckDB.

Each expression takes the JSON value's text and gives the typed value, or null where the text is no such value or is
written in a way that the type is not: the caller tells that null from a null of the source. Nothing is rounded.
Where it stops: how a value was written is `encodings`', rules beyond the type are `silver`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from lakehouse_assets.contracts.types import Kind, LogicalType
from lakehouse_assets.engines.debezium import decimals, moments
from lakehouse_assets.engines.debezium.encodings import JSON, Encoding

_INTEGERS = {"int": "INTEGER", "bigint": "BIGINT", "unsigned_bigint": "DECIMAL(20,0)"}
_DIGITS = "[-+]?[0-9]+"
_NUMBER = r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?"


def decode(logical: LogicalType, encoding: Encoding, text: str) -> str:
    """SQL of the typed value of the SQL expression `text`."""
    return _DECODERS.get(logical.kind, moments.decode)(logical, encoding, text)


def _same(_: LogicalType, __: Encoding, text: str) -> str:
    return text


def _bool(_: LogicalType, __: Encoding, text: str) -> str:
    return f"case when {text} in ('true', '1') then true when {text} in ('false', '0') then false end"


def _uuid(_: LogicalType, __: Encoding, text: str) -> str:
    return f"try_cast({text} as uuid)::varchar"


def _bytes(_: LogicalType, encoding: Encoding, text: str) -> str:
    match encoding.form:
        case "base64":
            return f"try(from_base64({text}))"
        case "base64url":
            return f"try(from_base64(translate({text}, '-_', '+/')))"
        case "hex":
            return f"case when regexp_full_match({text}, '([0-9a-fA-F]{{2}})*') then from_hex({text}) end"
    return "null::blob"


def _integer(logical: LogicalType, encoding: Encoding, written: str) -> str:
    text = decimals.plain(encoding, written)
    number = f"try_cast({text} as {_INTEGERS[logical.kind]})"
    # Debezium's `long` mode lets the upper half of MySQL's unsigned numbers wrap around to negative ones.
    fits = f" and {number} between 0 and 18446744073709551615" if logical.kind == "unsigned_bigint" else ""
    return f"case when regexp_full_match({text}, '{_DIGITS}'){fits} then {number} end"


def _float(logical: LogicalType, encoding: Encoding, text: str) -> str:
    """Finite in CSV files and events; of a database also what JSON has no number for."""
    number = f"try_cast({text} as {'float' if logical.kind == 'real' else 'double'})"
    other = f" when {text} in ('NaN', 'Infinity', '-Infinity') then {number}" if encoding.form == "float" else ""
    return f"case when regexp_full_match({text}, '{_NUMBER}') and isfinite({number}) then {number}{other} end"


def _bits(logical: LogicalType, encoding: Encoding, text: str) -> str:
    """Base64 of little-endian bytes, which may lack the highest ones."""
    if encoding.form != "bits":
        return "null::varchar"
    length = logical.length or 1
    octets = f"list_reverse(regexp_extract_all(hex(try(from_base64({text}))), '..'))"
    binary = f"list_transform({octets}, lambda octet: lpad(bin(('0x' || octet)::utinyint), 8, '0'))"
    digits = f"ltrim(array_to_string({binary}, ''), '0')"
    return f"case when length({digits}) <= {length} then lpad({digits}, {length}, '0') end"


def _array(logical: LogicalType, encoding: Encoding, text: str) -> str:
    """Null as a whole where an element is no value of its type."""
    element = decode(logical.element or logical, encoding.element or JSON, "element")
    given = f"case when json_valid({text}) then from_json({text}, '[\"VARCHAR\"]') end"
    typed = f"list_transform({given}, lambda element: {element})"
    lost = f"len(list_filter({given}, lambda element: element is not null and ({element}) is null))"
    return f"case when {lost} = 0 then {typed} end"


_DECODERS: dict[Kind, Callable[[LogicalType, Encoding, str], str]] = {
    **dict.fromkeys(("text", "varchar", "char", "json"), _same),
    **dict.fromkeys(("int", "bigint", "unsigned_bigint"), _integer),
    **dict.fromkeys(("real", "double"), _float),
    "decimal": decimals.fixed,
    "numeric": lambda _, encoding, text: decimals.unbounded(encoding, text),
    "bool": _bool,
    "uuid": _uuid,
    "bytes": _bytes,
    "bits": _bits,
    "array": _array,
}
