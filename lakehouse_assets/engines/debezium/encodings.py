"""Debezium's encodings of values, decoded exactly in DuckDB: what the contract's source says, never a guess.

Each expression takes the JSON value's text and gives the typed value, or null where the text is no such value; the
caller tells that null from a null of the source.
Facts: https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types and
https://debezium.io/documentation/reference/stable/connectors/mariadb.html#mariadb-data-types.
Where it stops: rules beyond the type are `silver`'s.
"""

from __future__ import annotations

from lakehouse_assets.contracts.table import Source
from lakehouse_assets.contracts.types import LogicalType

_INTEGERS = {"int": "INTEGER", "bigint": "BIGINT", "unsigned_bigint": "DECIMAL(20,0)"}
_DIGITS = "[-+]?[0-9]+"
_NUMBER = r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?"
_SIMPLE = {
    "uuid": "try_cast({text} as uuid)::varchar",
    "bool": "case when {text} in ('true', '1') then true when {text} in ('false', '0') then false end",
    "bytes": "try(from_base64({text}))",
    "double": f"case when regexp_full_match({{text}}, '{_NUMBER}') and isfinite(try_cast({{text}} as double))"
    " then try_cast({text} as double) end",
}
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?"
_ZONE = "(Z|[-+][0-9]{2}(:?[0-9]{2})?)?"


def decode(logical: LogicalType, source: Source, text: str) -> str:
    """SQL of the typed value of the SQL expression `text`."""
    match logical.kind:
        case "text" | "varchar" | "char" | "json":
            return text
        case "int" | "bigint" | "unsigned_bigint":
            return _integer(logical, text)
        case "decimal":
            return _decimal(logical, source, text)
        case "date":
            return _date(source, text)
        case "timestamptz" | "timestamp":
            return _instant(source, text)
        case "datetime":
            return _datetime(logical, source, text)
        case "array" if logical.element is not None:
            return _array(decode(logical.element, source, "element"), text)
        case kind:
            return _SIMPLE[kind].format(text=text)


def _decimal(logical: LogicalType, source: Source, text: str) -> str:
    precision, scale = logical.precision, logical.scale
    kind = f"DECIMAL({precision},{scale})"
    if source.kind == "cdc" and source.decimal == "precise":
        return f"try_cast({_unscaled(text, scale or 0)} as {kind})"
    if source.kind == "cdc" and source.decimal == "double":
        # A double with more digits than the column's is none of its values, and would be rounded.
        double = f"try_cast({text} as double)"
        fitted = f"try_cast({double} as {kind})"
        return f"case when {fitted}::varchar::double = {double} then {fitted} end"
    # A cast would round what has more digits than the scale: such a value is not representable.
    exact = f"[-+]?[0-9]*(\\.[0-9]{{0,{scale}}}0*)?"
    return f"case when regexp_full_match({text}, '{exact}') then try_cast({text} as {kind}) end"


def _unscaled(text: str, scale: int) -> str:
    """Base64 of the big-endian two's complement of the unscaled value, as decimal text; at most 16 bytes."""
    hexadecimal = f"hex(try(from_base64({text})))"
    number = f"('0x' || {hexadecimal})::uhugeint"
    negative = f"substr({hexadecimal}, 1, 1) >= '8'"
    magnitude = (
        f"case when {negative} then ('0x' || repeat('F', length({hexadecimal})))::uhugeint - {number} + 1"
        f" else {number} end"
    )
    digits = f"lpad(({magnitude})::varchar, {scale + 1}, '0')"
    padded = f"case when length(({magnitude})::varchar) > {scale} then ({magnitude})::varchar else {digits} end"
    sign = f"case when {negative} then '-' else '' end"
    return (
        f"case when length({hexadecimal}) between 2 and 32 then {sign} || left({padded}, length({padded}) - {scale})"
        f" || '.' || right({padded}, {scale}) end"
    )


def _date(source: Source, text: str) -> str:
    if source.kind == "cdc" and source.time != "isostring":
        day = f"try(date '1970-01-01' + try_cast({text} as integer))"
        return f"case when regexp_full_match({text}, '{_DIGITS}') and year({day}) between 1 and 9999 then {day} end"
    return f"case when regexp_full_match({text}, '{_DAY}Z?') then try_cast(left({text}, 10) as date) end"


def _instant(source: Source, text: str) -> str:
    """ISO 8601, in UTC where it names no zone; with `connect` milliseconds as well."""
    written = _in_years(f"try_cast({text} as timestamptz)")
    iso = f"case when regexp_full_match({text}, '{_DAY}{_CLOCK}{_ZONE}') then {written} end"
    if source.kind != "cdc" or source.time != "connect":
        return iso
    moment = _in_years(f"try(make_timestamptz(try_cast({text} as bigint) * 1000))")
    return f"case when regexp_full_match({text}, '{_DIGITS}') then {moment} else {iso} end"


def _datetime(logical: LogicalType, source: Source, text: str) -> str:
    """A wall clock; with isostring Debezium ends it in Z although it has no zone."""
    if source.kind != "cdc" or source.time == "isostring":
        wall = _in_years(f"try_cast({text} as timestamptz)")
        return f"case when regexp_full_match({text}, '{_DAY}{_CLOCK}{_ZONE}') then {wall}::timestamp end"
    unit = 1000 if source.time == "connect" or (logical.precision or 0) <= 3 else 1
    wall = _in_years(f"try(make_timestamp(try_cast({text} as bigint) * {unit}))")
    return f"case when regexp_full_match({text}, '{_DIGITS}') then {wall} end"


def _in_years(moment: str) -> str:
    """Years 1 to 9999, beyond which not every reader of the tables has a value."""
    return f"case when year({moment}) between 1 and 9999 then {moment} end"


def _integer(logical: LogicalType, text: str) -> str:
    number = f"try_cast({text} as {_INTEGERS[logical.kind]})"
    # Debezium's `long` mode lets the upper half of MySQL's unsigned numbers wrap around to negative ones.
    fits = f" and {number} between 0 and 18446744073709551615" if logical.kind == "unsigned_bigint" else ""
    return f"case when regexp_full_match({text}, '{_DIGITS}'){fits} then {number} end"


def _array(element: str, text: str) -> str:
    """Null as a whole where an element is no value of its type."""
    given = f"case when json_valid({text}) then from_json({text}, '[\"VARCHAR\"]') end"
    typed = f"list_transform({given}, lambda element: {element})"
    lost = f"len(list_filter({given}, lambda element: element is not null and ({element}) is null))"
    return f"case when {lost} = 0 then {typed} end"
