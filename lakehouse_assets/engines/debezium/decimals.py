"""Decimals as Debezium writes them: text, a binary number, or base64 of the unscaled number.

Where it stops: the other types are `decoding`'s and `moments`'.
"""

from __future__ import annotations

from lakehouse_assets.contracts.types import LogicalType
from lakehouse_assets.engines.debezium.encodings import Encoding

_DOUBLE_DIGITS = 15
"""Decimal digits that every double holds: IEEE 754's DBL_DIG."""
_WIDEST = 16
"""Bytes of DuckDB's widest integer."""
_SPECIAL = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "NAN": "NaN",
    "POSITIVE_INFINITY": "Infinity",
    "NEGATIVE_INFINITY": "-Infinity",
}
"""As Debezium writes them with `double` and with `string`."""


def fixed(logical: LogicalType, encoding: Encoding, text: str) -> str:
    """SQL of a DECIMAL of the type's precision and scale."""
    scale = logical.scale or 0
    kind = f"DECIMAL({logical.precision},{scale})"
    match encoding.form:
        case "float":
            # More digits than a double holds were rounded before they came here.
            number = f"try_cast({text} as double)"
            fitted = f"try_cast({number} as {kind})"
            whole = f"abs({number}) < 1e{_DOUBLE_DIGITS - scale}"
            return f"case when {whole} and {fitted}::varchar::double = {number} then {fitted} end"
        case "precise" if encoding.scale == scale:
            struct = _exact(kind, scale, _variable(text))
            return (
                f"case when starts_with({text}, '{{') then {struct} else try_cast({_base64(text, scale)} as {kind}) end"
            )
        case "precise" | "json":
            return _exact(kind, scale, plain(encoding, text))
    return f"null::{kind}"


def unbounded(encoding: Encoding, text: str) -> str:
    """SQL of decimal text of any length without trailing zeros, or NaN, Infinity, -Infinity.

    Of the binary numbers only those three are certain to be what the database held.
    """
    special = "".join(f" when '{told}' then '{meant}'" for told, meant in _SPECIAL.items())
    if encoding.form == "float":
        return f"case {text}{special} end"
    decimal = plain(encoding, text, wide=True)
    trimmed = f"case when contains({decimal}, '.') then rtrim(rtrim({decimal}, '0'), '.') else {decimal} end"
    number = rf"case when regexp_full_match({decimal}, '-?[0-9]+(\.[0-9]+)?') then {trimmed} end"
    return f"case {text}{special} else {number} end"


def plain(encoding: Encoding, text: str, wide: bool = False) -> str:
    """SQL of a number's text; what is not written as a precise decimal is such a text already."""
    if encoding.form != "precise":
        return text
    bare = "" if encoding.scale is None else f" else {_base64(text, encoding.scale, wide)}"
    return f"case when starts_with({text}, '{{') then {_variable(text, wide)}{bare} end"


def _exact(kind: str, scale: int, text: str) -> str:
    """A cast would round what has more digits than the scale: such a value is not representable."""
    exact = f"[-+]?[0-9]*(\\.[0-9]{{0,{scale}}}0*)?"
    return f"case when regexp_full_match({text}, '{exact}') then try_cast({text} as {kind}) end"


def _variable(text: str, wide: bool = False) -> str:
    """Debezium's VariableScaleDecimal, `{"scale": 2, "value": <base64>}`, as decimal text."""
    scale = f"coalesce(try_cast({text}->>'scale' as integer), 0)"
    value = f"({text}->>'value')"
    return f"case when json_valid({text}) then {_base64(value, scale, wide)} end"


def _base64(text: str, scale: int | str, wide: bool = False) -> str:
    """Base64 of the big-endian two's complement of the unscaled value, as decimal text; `wide` beyond 16 bytes."""
    hexadecimal = f"hex(try(from_base64({text})))"
    negative = f"substr({hexadecimal}, 1, 1) >= '8'"
    number = f"('0x' || {hexadecimal})::uhugeint"
    ones = f"('0x' || repeat('F', length({hexadecimal})))::uhugeint"
    narrow = f"(case when {negative} then {ones} - {number} + 1 else {number} end)::varchar"
    beyond = f" when length({hexadecimal}) > {2 * _WIDEST} then {_wide(hexadecimal)}" if wide else ""
    magnitude = f"case when length({hexadecimal}) between 2 and {2 * _WIDEST} then {narrow}{beyond} end"
    sign = f"case when {negative} then '-' else '' end"
    if scale == 0:
        return f"{sign} || ({magnitude})"
    padded = f"lpad({magnitude}, greatest(length({magnitude}), {scale} + 1)::integer, '0')"
    point = f"case when {scale} > 0 then '.' else '' end"
    return f"{sign} || left({padded}, length({padded}) - {scale}) || {point} || right({padded}, {scale})"


def _wide(hexadecimal: str) -> str:
    """The magnitude bit by bit, doubling: DuckDB's BIGNUM adds exactly and does nothing else exactly."""
    nibbles = f"list_transform(string_split({hexadecimal}, ''), lambda n: lpad(bin(('0x' || n)::utinyint), 4, '0'))"
    bits = f"array_to_string({nibbles}, '')"
    own = f"case when substr({hexadecimal}, 1, 1) >= '8' then translate({bits}, '01', '10') else {bits} end"
    listed = f"list_transform(string_split({own}, ''), lambda bit: bit::bignum)"
    carry = f"case when substr({hexadecimal}, 1, 1) >= '8' then 1 else 0 end::bignum"
    return f"(list_reduce({listed}, lambda high, low: high + high + low) + {carry})::varchar"
