"""What a system outside, a database or the disk answers when it fails: as one line, with what to do.

Where it stops: an error that none of them made is the project's own, and is not explained away.
"""

from __future__ import annotations

import re

_NOISE = re.compile(
    r"""\[SQL:\ .* | \(Background\ on\ this\ error .*           # SQLAlchemy's
    | ^lakehouse_assets(\.\w+)+:\s | ^(\w+\.)+(?=\w+:\s)  # Dagster's name of the class""",
    re.DOTALL | re.VERBOSE,
)

_HELPS = {
    r"no space left|is full|file too large|disk i/o error|quota": "free some space",
    r"permission denied|not permitted|read-?only": "make it writable",
    r"is locked": "another process holds it: let that one end",
    r"file exists|not a directory|is a directory": "move what lies in its place",
    r"not a database|malformed|magic bytes|too small to|no such file|no files found": "bring it back from a backup",
    r"refused|unreachable|timed out|resolve|connect": "start the server, or mend its address",
    r"unauthorized|forbidden|credential|authentication": "mend the credentials",
    r"out of memory": "raise LAKEHOUSE_MEMORY_LIMIT",
}


def explained(error: BaseException) -> str | None:
    """The line for an error of another system; None for one of the project's own."""
    import duckdb
    from clickhouse_connect.driver.exceptions import ClickHouseError
    from pyiceberg.exceptions import NoSuchTableError, RESTError
    from sqlalchemy.exc import DBAPIError

    match error:
        case DBAPIError():
            whose = "the catalog's database" if "iceberg" in str(error.statement) else "a database of the lakehouse"
            return f"{whose}: {line(str(error.orig))}"
        case RESTError() | NoSuchTableError():
            return f"the catalog: {line(str(error))}"
        case ClickHouseError():
            return f"ClickHouse: {line(str(error))}"
        case duckdb.OperationalError():
            return f"DuckDB: {line(str(error))}"
        case OSError():
            return line(str(error))
        case duckdb.Error() if ".parquet" in str(error):
            return f"DuckDB: {line(str(error))}"
    return None


def line(text: str) -> str:
    """The text of an error without the libraries' own around it, and what helps where that is known."""
    brief = " ".join(_NOISE.sub("", text.strip()).split()).rstrip(".")
    help_ = next((help_ for pattern, help_ in _HELPS.items() if re.search(pattern, brief, re.IGNORECASE)), None)
    return f"{brief}; {help_} and run again" if help_ else brief
