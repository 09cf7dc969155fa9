"""From which columns each column of a model comes, traced through the compiled SQL.

A column without an upstream column is computed: a count, a load time. Where it stops: the trace is made when the
project is synced and kept as JSON; runs only look it up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlglot import exp, parse_one
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from lakehouse_assets.engines.dbt.project import identifier_of

Trace = dict[str, dict[str, list[list[str]]]]
"""Model -> column -> [[parent, parent's column]]; parents and models by Iceberg name."""

Columns = dict[str, dict[str, dict[str, str]]]
"""Layer -> table -> column -> type, as sqlglot wants it."""

DIALECT = "duckdb"


def trace(manifest: Mapping[str, Any]) -> Trace:
    """The columns of every compiled model of the manifest."""
    schema: Columns = {}
    for source in manifest["sources"].values():
        _add(schema, identifier_of(source), list(source["columns"]))
    traced: Trace = {}
    for node in _compiled_in_order(manifest):
        _add(schema, identifier_of(node), list(node["columns"]))  # it may read its own table
        columns = _trace_one(identifier_of(node), node["compiled_code"], schema)
        traced[identifier_of(node)] = columns
        _add(schema, identifier_of(node), list(columns))
    return traced


def read(path: Path) -> Trace:
    """The trace of the last sync; empty where there is none."""
    return _read(path, path.stat().st_mtime_ns) if path.exists() else {}


@cache
def _read(path: Path, _version: int) -> Trace:
    traced: Trace = json.loads(path.read_bytes())
    return traced


def personal(traced: Trace, manifest: Mapping[str, Any], identifier: str) -> frozenset[str]:
    """The columns of a table that hold personal data: declared so by a contract, or made from such a column."""
    declared = {
        (identifier_of(source), name)
        for source in manifest["sources"].values()
        for name, column in source["columns"].items()
        if column["meta"].get("pii")
    }

    def is_personal(table: str, column: str) -> bool:
        if (table, column) in declared:
            return True
        return any(is_personal(t, c) for t, c in traced.get(table, {}).get(column, []))

    names = {c for t, c in declared if t == identifier} | set(traced.get(identifier, {}))
    return frozenset(name for name in names if is_personal(identifier, name))


def _trace_one(model: str, sql: str, schema: Columns) -> dict[str, list[list[str]]]:
    """A model that reads its own table has nothing from there that did not come from its parents."""
    tree = parse_one(sql, dialect=DIALECT).transform(_as_parent)
    known = cast("dict[str, object]", schema)
    qualified = cast(exp.Query, qualify(tree, schema=known, dialect=DIALECT))
    scope = build_scope(qualified)
    columns: dict[str, list[list[str]]] = {}
    for name in qualified.named_selects:
        found = set()
        for node in lineage(name, qualified, schema=known, scope=scope, dialect=DIALECT).walk():
            if not node.downstream and isinstance(node.expression, exp.Table):
                origin = f"{node.expression.db}.{node.expression.name}"
                if origin != model:
                    found.add((origin, exp.to_column(node.name).name))
        columns[name] = sorted(map(list, found))
    return columns


def _as_parent(node: exp.Expression) -> exp.Expression:
    """A view that narrows a parent (`silver__slice__h_users.t`) counts as the parent itself (`silver.t`)."""
    if isinstance(node, exp.Table) and node.db:
        return exp.table_(node.name, db=node.db.split("__")[0], alias=node.alias or None, quoted=True)
    return node


def _add(schema: Columns, identifier: str, columns: list[str]) -> None:
    layer, name = identifier.split(".")
    schema.setdefault(layer, {})[name] = dict.fromkeys(columns, "text")


def _compiled_in_order(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    waiting = {k: n for k, n in manifest["nodes"].items() if n["resource_type"] == "model" and n.get("compiled_code")}
    ordered: list[Mapping[str, Any]] = []
    while waiting:
        ready = [k for k, n in waiting.items() if not any(p in waiting for p in n["depends_on"]["nodes"])]
        ordered += [waiting.pop(k) for k in ready]
    return ordered
