"""Every type of MariaDB that a source table may have, with its edge values.

Left out, because Debezium's connector ends on them: a column of type `inet6`, and the year 0 in a snapshot.
"""

from __future__ import annotations

from .columns import Column

PREPARE = ["set global sql_mode = ''"]  # or zero dates are refused

_TEXTS = [
    "''",
    "' '",
    "'NULL'",
    "'it''s \"quoted\"'",
    r"'back\\slash \\n \\u0041'",
    r"concat('tab\tnewline\ncarriage\rreturn', char(0, 1, 31, 127 using utf8mb4))",
    "'😀 Grüße 漢字 e\u0301'",
    "'__debezium_unavailable_value'",
    "repeat('x', 3000)",
]
_FLOATS = ["0", "-0e0", "0.1", "123456.789"]
_STAMPS = [
    "'1970-01-01 00:00:00'",
    "'1969-12-31 23:59:59.999999'",
    "'1000-01-01 00:00:00'",
    "'9999-12-31 23:59:59.999999'",
    "'2024-02-29 12:34:56.789012'",
    "'0000-00-00 00:00:00'",
    "'2024-00-00 00:00:00'",
    "'1582-10-10 01:02:03'",
]
_INSTANTS = ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'2024-02-29 12:34:56.789012'", "0"]
_TIMES = ["'00:00:00'", "'23:59:59.999999'", "'-838:59:59'", "'838:59:59'", "'-00:00:01.5'", "'12:34:56.789'"]
_BYTES = ["x''", "x'00'", "x'deadbeef00'", "x'5f5f'"]


def _text(name: str) -> str:
    return f"cast({name} as char)"


def _hex(name: str) -> str:
    return f"lower(hex({name}))"


def _bits(name: str) -> str:
    return f"bin({name})"


def _double(name: str) -> str:
    """A float printed as such is rounded to six digits."""
    return f"cast(cast({name} as double) as char)"


COLUMNS = [
    Column(name, of, values, truth(name))
    for name, of, values, truth in [
        ("a_tinyint", "tinyint", ["0", "-128", "127"], _text),
        ("a_tinyint_unsigned", "tinyint unsigned", ["0", "255"], _text),
        ("a_tinyint_1", "tinyint(1)", ["0", "1", "-128", "127"], _text),
        ("a_boolean", "boolean", ["true", "false"], _text),
        ("a_smallint", "smallint", ["0", "-32768", "32767"], _text),
        ("a_smallint_unsigned", "smallint unsigned", ["0", "65535"], _text),
        ("a_mediumint", "mediumint", ["0", "-8388608", "8388607"], _text),
        ("a_mediumint_unsigned", "mediumint unsigned", ["0", "16777215"], _text),
        ("a_int", "int", ["0", "-2147483648", "2147483647"], _text),
        ("a_int_unsigned", "int unsigned", ["0", "4294967295"], _text),
        ("a_bigint", "bigint", ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"], _text),
        ("a_bigint_unsigned", "bigint unsigned", ["0", "18446744073709551615", "9223372036854775808"], _text),
        ("a_decimal_12_2", "decimal(12,2)", ["0", "-9999999999.99", "9999999999.99", "0.01", "1.10"], _text),
        ("a_decimal_38_18", "decimal(38,18)", ["0", "-" + "9" * 20 + "." + "9" * 18, "0." + "0" * 17 + "1"], _text),
        ("a_decimal_65_30", "decimal(65,30)", ["0", "-" + "9" * 35 + "." + "9" * 30, "1.5"], _text),
        ("a_decimal_20_0_unsigned", "decimal(20,0) unsigned", ["0", "9" * 20], _text),
        ("a_float", "float", [*_FLOATS, "3.40282e38", "1.17549e-38"], _double),
        ("a_double", "double", [*_FLOATS, "1.7976931348623157e308", "2.2250738585072014e-308"], _text),
        ("a_double_10_3", "double(10,3)", ["0", "1234567.891"], _text),
        ("a_bit", "bit", ["b'0'", "b'1'"], _bits),
        ("a_bit_8", "bit(8)", ["b'00000000'", "b'11111111'", "b'10000001'"], _bits),
        ("a_bit_64", "bit(64)", ["b'" + "1" * 64 + "'", "b'" + "10" * 32 + "'"], _bits),
        ("a_char", "char(5)", ["''", "'ab  '", "'abcde'", "'é'"], str),
        ("a_varchar", "varchar(3000)", _TEXTS, str),
        ("a_text", "text", _TEXTS, str),
        ("a_longtext", "longtext", _TEXTS, str),
        ("a_latin", "varchar(20) character set latin1", ["'Grüße'"], "convert({} using utf8mb4)".format),
        ("a_binary", "binary(5)", _BYTES, _hex),
        ("a_varbinary", "varbinary(80)", [*_BYTES, "repeat(x'00ff', 40)"], _hex),
        ("a_blob", "blob", [*_BYTES, "repeat(x'00ff', 40)"], _hex),
        (
            "a_date",
            "date",
            ["'1970-01-01'", "'1969-12-31'", "'1000-01-01'", "'9999-12-31'", "'0000-00-00'", "'2024-00-00'"],
            _text,
        ),
        ("a_time", "time", [t for t in _TIMES if "." not in t], _text),
        ("a_time_3", "time(3)", [t for t in _TIMES if "999999" not in t], _text),
        ("a_time_6", "time(6)", _TIMES, _text),
        ("a_datetime", "datetime", [s for s in _STAMPS if "." not in s], _text),
        ("a_datetime_3", "datetime(3)", [s for s in _STAMPS if "999999" not in s], _text),
        ("a_datetime_6", "datetime(6)", _STAMPS, _text),
        ("a_timestamp", "timestamp", _INSTANTS, _text),
        ("a_timestamp_6", "timestamp(6)", _INSTANTS, _text),
        ("a_year", "year", ["1901", "2155", "1970"], _text),
        ("a_enum", "enum('sad', 'so so', 'happy, very', 'q''uote')", ["'sad'", "'happy, very'", "'q''uote'", "0"], str),
        ("a_set", "set('a', 'b c', 'd')", ["''", "'a'", "'d,a'", "'a,b c,d'"], str),
        ("a_json", "json", ["'null'", '\'{"b": 1.10, "a": [1, null, "x"], "b": 2}\'', "'[]'", "'\"😀\\\\n\"'"], str),
        ("a_uuid", "uuid", ["'00000000-0000-0000-0000-000000000000'", "'DEADBEEF-0123-4567-89ab-ffffffffffff'"], _text),
    ]
]
