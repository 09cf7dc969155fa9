"""Every type of PostgreSQL that a source table may have, with its edge values."""

from __future__ import annotations

from .columns import Column

PREPARE = ["create type mood as enum ('sad', 'so so', 'happy, very', 'q''uote')", "create extension hstore"]

_TEXTS = [
    "''",
    "' '",
    "'NULL'",
    "'it''s \"quoted\"'",
    r"'back\slash \n \u0041'",
    r"e'tab\tnewline\ncarriage\rreturn\x01\x1f\x7f'",
    "'😀 Grüße 漢字 e\u0301'",
    "'__debezium_unavailable_value'",
    "repeat('x', 3000)",
]
_DATES = ["'1970-01-01'", "'1969-12-31'", "'0001-01-01'", "'9999-12-31'", "'2024-02-29'", "'infinity'", "'-infinity'"]
_STAMPS = [
    "'1970-01-01 00:00:00'",
    "'1969-12-31 23:59:59.999999'",
    "'0001-01-01 00:00:00'",
    "'9999-12-31 23:59:59.999999'",
    "'2024-02-29 12:34:56.789012'",
    "'infinity'",
    "'-infinity'",
    "'1582-10-10 01:02:03'",
    "'294276-12-31 23:59:59.999999'",
]
_INSTANTS = [
    "'1970-01-01 00:00:00+00'",
    "'1969-12-31 23:59:59.999999+00'",
    "'0001-01-02 00:00:00+14'",
    "'9999-12-31 23:59:59.999999-12'",
    "'2024-03-31 02:30:00.123456 Europe/Berlin'",
    "'infinity'",
    "'-infinity'",
]
_FLOATS = ["0", "'-0'", "0.1", "'NaN'", "'Infinity'", "'-Infinity'", "123456.789"]
_BYTES = [r"'\x'", r"'\x00'", r"'\xdeadbeef00ff'", r"'\x5f5f'"]

COLUMNS = [
    Column(name, of, values, name if of == "char(5)" else f"{name}::text")  # the cast strips the padding
    for name, of, values in [
        ("a_smallint", "smallint", ["0", "-32768", "32767"]),
        ("a_integer", "integer", ["0", "-2147483648", "2147483647"]),
        ("a_bigint", "bigint", ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"]),
        ("a_numeric_12_2", "numeric(12,2)", ["0", "-9999999999.99", "9999999999.99", "0.01", "1.10", "'NaN'"]),
        ("a_numeric_38_0", "numeric(38,0)", ["0", "-" + "9" * 38, "9" * 38]),
        ("a_numeric_38_18", "numeric(38,18)", ["0", "-" + "9" * 20 + "." + "9" * 18, "0." + "0" * 17 + "1"]),
        ("a_numeric", "numeric", ["0", "'NaN'", "'Infinity'", "'-Infinity'", "1e130", "-1e-130", "1.500", "9" * 60]),
        ("a_real", "real", [*_FLOATS, "3.4028235e38", "1.1754944e-38"]),
        ("a_double", "double precision", [*_FLOATS, "1.7976931348623157e308", "5e-324"]),
        ("a_money", "money", ["0", "'-92233720368547758.08'", "'92233720368547758.07'", "'1234.5'"]),
        ("a_boolean", "boolean", ["true", "false"]),
        ("a_char", "char(5)", ["''", "'ab'", "'abcde'", "'é'"]),
        ("a_varchar", "varchar(3000)", _TEXTS),
        ("a_text", "text", _TEXTS),
        ("a_bytea", "bytea", [*_BYTES, r"decode(repeat('00ff', 40), 'hex')"]),
        ("a_bit", "bit", ["b'0'", "b'1'"]),
        ("a_bit_8", "bit(8)", ["b'00000000'", "b'11111111'", "b'10000001'"]),
        ("a_bit_70", "bit(70)", ["b'" + "10" * 35 + "'"]),
        ("a_varbit", "bit varying(20)", ["b''", "b'1'", "b'10101010101'"]),
        ("a_date", "date", _DATES),
        ("a_time", "time", ["'00:00'", "'23:59:59.999999'", "'12:34:56.789'", "'24:00:00'"]),
        ("a_time_3", "time(3)", ["'00:00'", "'23:59:59.999'"]),
        ("a_timetz", "timetz", ["'00:00+00'", "'23:59:59.999999-12'", "'12:34:56+05:30'"]),
        ("a_timestamp", "timestamp", _STAMPS),
        ("a_timestamp_3", "timestamp(3)", [s for s in _STAMPS if "999999" not in s]),
        ("a_timestamp_0", "timestamp(0)", [s for s in _STAMPS if "999999" not in s]),
        ("a_timestamptz", "timestamptz", _INSTANTS),
        ("a_timestamptz_3", "timestamptz(3)", [s for s in _INSTANTS if "999999" not in s]),
        (
            "a_interval",
            "interval",
            ["'0'", "'1 year 2 mons 3 days 4:05:06.789'", "'-1 day'", "'100 years -1 sec'", "'1 mon -30 days'"],
        ),
        ("a_uuid", "uuid", ["'00000000-0000-0000-0000-000000000000'", "'DEADBEEF-0123-4567-89ab-ffffffffffff'"]),
        (
            "a_json",
            "json",
            ["'null'", '\'{"b": 1.10, "a": [1, null, "x"], "b": 2}\'', "'[]'", "'\"😀\\n\"'", "'1e400'"],
        ),
        (
            "a_jsonb",
            "jsonb",
            ["'null'", '\'{"b": 1.10, "a": [1, null, "x"], "b": 2}\'', "'[]'", "'\"😀\\n\"'", "'1e40'"],
        ),
        ("a_xml", "xml", ["'<a b=\"c\">d</a>'"]),
        ("a_mood", "mood", ["'sad'", "'happy, very'", "'q''uote'"]),
        ("a_inet", "inet", ["'192.168.0.1'", "'192.168.0.0/16'", "'::ffff:1.2.3.4'", "'2001:db8::/32'"]),
        ("a_cidr", "cidr", ["'10.0.0.0/8'", "'::/0'"]),
        ("a_macaddr", "macaddr", ["'08:00:2b:01:02:03'"]),
        ("a_int4range", "int4range", ["'empty'", "'[1,10)'", "'(,5]'"]),
        ("a_tstzrange", "tstzrange", ["'[2024-01-01 00:00+00, infinity)'"]),
        ("a_hstore", "hstore", ["''", "'a=>1, b=>NULL'"]),
        ("texts", "text[]", ["'{}'", r"""'{"a,b", NULL, "NULL", "", "q\"uote", "back\\slash", "😀"}'"""]),
        ("integers", "integer[]", ["'{}'", "'{-2147483648, NULL, 2147483647}'", "'{0}'"]),
        ("bigints", "bigint[]", ["'{}'", "'{-9223372036854775808, NULL, 9223372036854775807}'"]),
        ("numerics", "numeric(10,2)[]", ["'{}'", "'{-99999999.99, NULL, 0.01}'"]),
        ("doubles", "double precision[]", ["'{}'", "'{0.1, NULL, 5e-324}'"]),
        ("booleans", "boolean[]", ["'{}'", "'{true, NULL, false}'"]),
        ("uuids", "uuid[]", ["'{}'", "'{deadbeef-0123-4567-89ab-ffffffffffff, NULL}'"]),
        ("dates", "date[]", ["'{}'", "'{1969-12-31, NULL, 9999-12-31}'"]),
        ("instants", "timestamptz[]", ["'{}'", "'{1969-12-31 23:59:59.999999+00, NULL}'"]),
    ]
]
