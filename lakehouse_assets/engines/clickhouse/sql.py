"""ClickHouse's quoting of identifiers and text. Nothing else."""

from __future__ import annotations


def quoted(identifier: str) -> str:
    """An identifier, whatever it holds, in backticks."""
    return "`" + identifier.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
