"""A bronze row's JSON as typed columns, and the claims that the typed row breaks, as SQL derived from the contract.

A value that is there but cannot be cast gives null and is named by `misfit`; it is never taken for a null.
Where it stops: what happens to a misfit or a broken claim is the folds' business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lakehouse_assets.contracts.rules import AtLeast, Between, Fits, OneOf, Present, Rule, StartsWith
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.engines.debezium import placeholder
from lakehouse_assets.engines.debezium.decoding import decode
from lakehouse_assets.engines.debezium.encodings import declared
from lakehouse_assets.engines.duckdb.session import literal, quoted
from lakehouse_assets.silver.written import Way

_TEXTS = ("text", "varchar", "char", "json")


def values_of(table: Table, data: str) -> str:
    """SQL of the struct of texts that `data`, a JSON object, holds for the contract's columns."""
    names = [n for c in table.columns for n in (c.name, *c.earlier_names)]
    shape = ", ".join(f'"{name}": "VARCHAR"' for name in dict.fromkeys(names))
    return f"from_json({data}, '{{{shape}}}')"


def text_of(table: Table, column: Column) -> str:
    """SQL of a column's text in the struct `_told` of `data`; an empty CSV field is null unless the column is text."""
    text = _raw(table, column)
    if table.source.kind == "files" and column.type.kind not in _TEXTS:
        text = f"nullif({text}, '')"
    if can_be_unavailable(table, column):
        return f"case when not {placeholder.stands_in(column.type, text)} then {text} end"
    return text


def _raw(table: Table, column: Column) -> str:
    """The value under the newest name that the message knows. One that knows none was told before the column was there,
    or when its name was still another column's."""
    names = (column.name, *column.earlier_names)
    heirs = [c.name for c in table.columns if column.name in c.earlier_names and not column.retired]
    default = "null" if column.default is None or column.retired else literal(column.default)
    if len(names) == 1 and not heirs and default == "null":
        return f"_told.{quoted(column.name)}"
    told = " ".join(f"when {_knows(name)} then _told.{quoted(name)}" for name in names)
    return f"case {''.join(f'when not {_knows(heir)} then null ' for heir in heirs)}{told} else {default} end"


def _knows(name: str) -> str:
    return f"json_exists(data, '$.{quoted(name)}')"


def typed(table: Table, column: Column, ways: Sequence[Way] = ()) -> str:
    """SQL of the typed value; where there are several `ways`, a row's `_way` is the number of its own."""
    text = text_of(table, column)
    encodings = [way[column.name] for way in ways if column.name in way] or [declared(column.type, table.source)]
    if len(set(encodings)) == 1:
        return decode(column.type, encodings[0], text)
    cases = {
        encoding: [str(n) for n, own in enumerate(encodings) if own == encoding]
        for encoding in dict.fromkeys(encodings)
    }
    tests = [f"when _way in ({', '.join(ns)}) then {decode(column.type, e, text)}" for e, ns in cases.items()]
    return f"case {' '.join(tests)} end"


def can_be_unavailable(table: Table, column: Column) -> bool:
    """Whether PostgreSQL may store the column out of line, and leave it out of an update."""
    return (
        table.source.connector == "postgresql"
        and column.name not in table.key
        and placeholder.can_stand_for(column.type)
    )


def unavailable(table: Table) -> str:
    """SQL of the list of columns whose value the event left out."""
    columns = [c for c in table.columns if can_be_unavailable(table, c)]
    tests = [f"case when {placeholder.stands_in(c.type, _raw(table, c))} then '{c.name}' end" for c in columns]
    return f"list_filter([{', '.join(tests)}]::varchar[], lambda x: x is not null)"


def misfit(table: Table, columns: tuple[Column, ...]) -> str:
    """SQL of the first column that has a text but no typed value, as `{rule, reason}`; null where every one fits."""
    tests = " ".join(
        f"when {text_of(table, c)} is not null and {quoted(c.name)} is null"
        f" then {{'rule': 'not_representable', 'reason': {_misfit_reason(table, c)}}}"
        for c in columns
        if not c.retired and c.type.kind not in _TEXTS
    )
    empty = "null::struct(rule varchar, reason varchar)"
    return f"case {tests} else {empty} end" if tests else empty


def broken(table: Table) -> str:
    """SQL of the list of claims that a typed row breaks, in the order of the contract."""
    tests = [
        f"case when {_breaks(rule, quoted(c.name))} then '{rule.claim(c.name)}' end"
        for c in table.live_columns
        for rule in c.row_rules
    ]
    return f"list_filter([{', '.join(tests)}]::varchar[], lambda x: x is not null)"


def claims(table: Table) -> dict[str, tuple[Column, Rule]]:
    """Every claim that one row can break, with where it comes from."""
    return {rule.claim(c.name): (c, rule) for c in table.live_columns for rule in c.row_rules}


def _misfit_reason(table: Table, column: Column) -> str:
    shown = "'a value'" if column.pii else f"'''' || left({text_of(table, column)}, 60) || ''''"
    return f"'{column.name}: ' || {shown} || ' is not {column.type}'"


def _breaks(rule: Rule, column: str) -> str:
    """SQL that is true where the rule is broken; a null breaks only Present."""
    forms: dict[type[Rule], Callable[..., str]] = {
        Present: lambda r: f"{column} is null",
        Fits: lambda r: f"length({column}) > {r.length}",
        OneOf: lambda r: f"{column} not in ({', '.join(literal(v) for v in r.values)})",
        AtLeast: lambda r: f"{column} < {r.minimum}",
        Between: lambda r: f"({column} < {r.minimum} or {column} > {r.maximum})",
        StartsWith: lambda r: f"not starts_with({column}, {literal(r.prefix)})",
    }
    return forms[type(rule)](rule)
