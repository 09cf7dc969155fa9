"""Differences between expected and actual rows, as sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SHOWN = 20
Matched = list[Mapping[str, Any]]


def compare(
    name: str, expected: Iterable[Mapping[str, Any]], actual: Iterable[Mapping[str, Any]], key: str | Sequence[str]
) -> list[str]:
    """The differences, each with table, key, column and both values; [] when equal.

    Rows are matched by `key` (one column or several) in any order; a key may repeat, then equal rows are matched first.
    Compared are the columns of the expected rows: a column that only the lakehouse has is not judged. Numbers are equal
    by value, floats to nine digits; a time with zone never equals one without. After 20 differences the others are
    only counted.
    """
    columns = (key,) if isinstance(key, str) else tuple(key)
    wanted, found = _by_key(expected, columns), _by_key(actual, columns)
    differences = [
        f"{name} {' '.join(f'{column}={value}' for column, value in zip(columns, each, strict=True))}: {text}"
        for each in {**wanted, **found}
        for text in _differences(wanted.get(each, []), found.get(each, []))
    ]
    if len(differences) > SHOWN:
        return [*differences[:SHOWN], f"{name}: and {len(differences) - SHOWN} more differences"]
    return differences


def _by_key(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...]) -> dict[tuple[Any, ...], Matched]:
    indexed: dict[tuple[Any, ...], Matched] = {}
    for row in rows:
        indexed.setdefault(tuple(row[column] for column in columns), []).append(row)
    return indexed


def _differences(expected: Matched, actual: Matched) -> list[str]:
    """Of the rows of one key."""
    if len(expected) != len(actual):
        kind = "missing" if len(expected) > len(actual) else "not expected"
        repeated = f" ({len(actual)} rows instead of {len(expected)})" if expected and actual else ""
        return [kind + repeated]
    others = list(actual)
    unmatched = []
    for row in expected:
        twin = next((other for other in others if not _unequal(row, other)), None)
        if twin is None:
            unmatched.append(row)
        else:
            others.remove(twin)
    return [text for row, other in zip(unmatched, others, strict=True) for text in _unequal(row, other)]


def _unequal(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    absent = [f"column {column} is missing" for column in expected if column not in actual]
    return absent + [
        f"{column} is {actual[column]!r}, expected {value!r}"
        for column, value in expected.items()
        if column in actual and not _equal(value, actual[column])
    ]


def _equal(expected: Any, actual: Any) -> bool:
    if expected is None or actual is None:
        return expected is actual
    if isinstance(expected, float) or isinstance(actual, float):
        return math.isclose(float(expected), float(actual), rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(expected, list):
        return expected == list(actual)
    return bool(expected == actual)
