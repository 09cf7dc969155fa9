"""What the user `reader` may say: one SELECT over gold and realtime that reaches nothing else.

Four walls, because each has a hole (tried on chDB 4.4): the role has SELECT only, but the scalar `file('/etc/passwd')`
asks for no privilege; `readonly` forbids writes and settings, but not INTO OUTFILE; within a subquery INTO OUTFILE and
any other statement are syntax errors; and the statement, as ClickHouse renders it, calls only what stays inside.
Where it stops: it bounds time and memory, it does not hide gold's tables from one another.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from lakehouse_assets.engines.clickhouse.sql import literal

HARMLESS_TABLE_FUNCTIONS = frozenset(
    {"format", "generate_series", "generaterandom", "generateseries", "null", "numbers", "numbers_mt", "values"}
    | {"view", "zeros", "zeros_mt"}
)
FORBIDDEN_SCALARS = frozenset({"file", "catboostevaluate", "sleep", "sleepeachrow"})
FORBIDDEN_PREFIX = "ai"  # aiGenerate and its kin call a service
LIMITS = {"max_execution_time": 60, "max_memory_usage": 2_000_000_000, "max_result_rows": 10_000_000}

_FORMAT = re.compile(r" FORMAT (\w+)$")
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|\w+|\S", re.DOTALL)
# SETTINGS within a subquery is silently ignored; APPLY takes a function's bare name.
_FORBIDDEN_WORDS = frozenset({"SETTINGS", "APPLY"})


class Refused(Exception):
    """A statement that a reader may not send; the message says why."""

    code = 497  # ClickHouse's ACCESS_DENIED


def confine(conn: Any) -> None:
    """Takes from a chDB connection, for its whole life, every right but reading gold and realtime."""
    conn.query("SET ROLE reader")
    for name, value in LIMITS.items():
        conn.query(f"SET {name} = {value}")
    conn.query("SET readonly = 1")


def guarded(conn: Any, text: str, table_functions: frozenset[str]) -> tuple[str, str | None]:
    """The statement as it may be run on a confined connection, and the format that it named. Raises Refused.

    `table_functions` are the engine's, in lower case. A statement that ClickHouse cannot parse raises chDB's error.
    """
    line = conn.query(f"SELECT formatQuerySingleLine({literal(text)})", "RawBLOB").bytes().decode()
    named = _FORMAT.search(line)
    select = line[: named.start()] if named else line
    _refuse_escapes(select, table_functions)
    return f"SELECT * FROM ({select})", named.group(1) if named else None


def _refuse_escapes(select: str, table_functions: frozenset[str]) -> None:
    """Looks at ClickHouse's own rendering, where comments are gone and keywords are in capitals."""
    tokens = _TOKEN.findall(select)
    if tokens[0] not in ("SELECT", "WITH", "("):
        raise Refused("a reader may send one SELECT and nothing else")
    words = _FORBIDDEN_WORDS.intersection(tokens)
    if words:
        raise Refused(f"{', '.join(sorted(words))} is not open to a reader")
    forbidden = (table_functions | FORBIDDEN_SCALARS) - HARMLESS_TABLE_FUNCTIONS
    called = {name.strip('`"').lower() for name, after in pairwise(tokens) if after == "("}
    refused = sorted(n for n in called if n in forbidden or n.startswith(FORBIDDEN_PREFIX))
    if refused:
        raise Refused(f"{', '.join(refused)} is not open to a reader: it leaves the database")
