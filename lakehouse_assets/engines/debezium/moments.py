"""Dates, times, timestamps and durations as Debezium writes them: ISO 8601 text, or a count from 1970 or midnight.

Where it stops: years 1 to 9999, beyond which not every reader of the tables has a value.
"""

from __future__ import annotations

from lakehouse_assets.contracts.types import LogicalType
from lakehouse_assets.engines.debezium.encodings import Encoding

_DIGITS = "[-+]?[0-9]+"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?"
_ZONE = "(Z|[-+][0-9]{2}(:?[0-9]{2})?)?"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?Z?"
_INTERVAL = (
    r"P(?:(-?[0-9]+)Y)?(?:(-?[0-9]+)M)?(?:(-?[0-9]+)D)?"
    r"T(?:(-?[0-9]+)H)?(?:(-?[0-9]+)M)?(?:(-?[0-9]+(?:\.[0-9]{1,6})?)S)"
)
_LAST_MICROSECOND = 86_399_999_999


def decode(logical: LogicalType, encoding: Encoding, text: str) -> str:
    """SQL of the typed value of a type that tells time."""
    match logical.kind:
        case "date":
            return _date(encoding, text)
        case "time":
            return _time(encoding, text)
        case "timestamptz" | "timestamp":
            return _instant(encoding, text)
        case "datetime":
            return _datetime(encoding, text)
        case "interval":
            written = encoding.form == "iso"
            return f"case when regexp_full_match({text}, '{_INTERVAL}') then {text} end" if written else "null::varchar"
        case "duration":
            return _duration(encoding, text)
    raise ValueError(f"{logical} tells no time")


def _date(encoding: Encoding, text: str) -> str:
    if encoding.form == "days":
        day = f"try(date '1970-01-01' + try_cast({text} as integer))"
        return f"case when regexp_full_match({text}, '{_DIGITS}') and year({day}) between 1 and 9999 then {day} end"
    if encoding.form == "iso":
        return f"case when regexp_full_match({text}, '{_DAY}Z?') then try_cast(left({text}, 10) as date) end"
    return "null::date"


def _time(encoding: Encoding, text: str) -> str:
    """A time of day; 24:00:00 is none to most readers."""
    if encoding.form == "iso":
        return f"case when regexp_full_match({text}, '{_TIME}') then try_cast(rtrim({text}, 'Z') as time) end"
    count = _microseconds(encoding, text)
    return f"case when {count} between 0 and {_LAST_MICROSECOND} then make_timestamp({count})::time end"


def _instant(encoding: Encoding, text: str) -> str:
    """ISO 8601, in UTC where it names no zone."""
    if encoding.form == "iso":
        written = _in_years(f"try_cast({text} as timestamptz)")
        return f"case when regexp_full_match({text}, '{_DAY}{_CLOCK}{_ZONE}') then {written} end"
    return _in_years(f"try(make_timestamptz({_microseconds(encoding, text)}))")


def _datetime(encoding: Encoding, text: str) -> str:
    """A wall clock; with isostring Debezium ends it in Z although it has no zone."""
    if encoding.form == "iso":
        return f"({_instant(encoding, text)})::timestamp"
    return _in_years(f"try(make_timestamp({_microseconds(encoding, text)}))")


def _duration(encoding: Encoding, text: str) -> str:
    """Microseconds. A day of an interval has 24 hours, as Debezium itself counts; a month is no duration."""
    if encoding.form != "iso":
        return _microseconds(encoding, text)
    parts = f"regexp_extract({text}, '{_INTERVAL}', ['y', 'mo', 'd', 'h', 'mi', 's'])"
    units = {"d": 86_400, "h": 3_600, "mi": 60, "s": 1}
    sum_of = " + ".join(
        f"coalesce(try_cast({parts}.{name} as decimal(24,6)), 0) * {seconds}" for name, seconds in units.items()
    )
    months = " or ".join(f"coalesce(try_cast({parts}.{name} as integer), 0) != 0" for name in ("y", "mo"))
    clock = f"try_cast(rtrim({text}, 'Z') as time)"
    return (
        f"case when regexp_full_match({text}, '{_TIME}')"
        f" then epoch_us(date '1970-01-01' + {clock})"
        f" when regexp_full_match({text}, '{_INTERVAL}') and not ({months})"
        f" then try_cast(({sum_of}) * 1000000 as bigint) end"
    )


def _microseconds(encoding: Encoding, text: str) -> str:
    """SQL of a count as BIGINT microseconds; null for what has a finer part, and for what is no count."""
    count = f"case when regexp_full_match({text}, '{_DIGITS}') then try_cast({text} as bigint) end"
    match encoding.form:
        case "millis":
            return f"try(({count}) * 1000)"
        case "micros":
            return f"({count})"
        case "nanos":
            return f"(case when ({count}) % 1000 = 0 then ({count}) // 1000 end)"
    return "null::bigint"


def _in_years(moment: str) -> str:
    return f"case when year({moment}) between 1 and 9999 then {moment} end"
