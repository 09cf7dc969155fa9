"""Columns that messages hold and the contract does not name: bronze keeps their values, silver tells where they began.

A mark of the silver table names each with the first place that it was seen at, so that telling costs no scan and
finding them follows the new rows. Where it stops: taking a column is the contract's decision; a rebuild of the days
since then brings its values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import duckdb

from lakehouse_assets.contracts.table import Table

UNDECLARED = "lakehouse.undeclared-columns"
MOST = 50
"""A sender that makes names up must not fill the metadata of every snapshot."""

_NAME = "[A-Za-z][A-Za-z0-9_]{0,62}"
"""What is no name may be a value, and a value personal. Names that begin with `_` are the connector's own."""


def noticed(conn: duckdb.DuckDBPyConnection, table: Table, known: Mapping[str, str]) -> dict[str, str]:
    """The mark, with what the view `bronze_rows` adds to the marks `known`; empty where there was never any."""
    before = json.loads(known.get(UNDECLARED, "{}"))
    rows = "op in ('c', 'r', 'u', 'd')" if table.source.kind == "cdc" else "true"
    found = conn.execute(
        f"""
        with shapes as (
          select json_keys(data) as names, min({{'topic': topic, 'partition': partition, 'offset': "offset"}}) as place
          from bronze_rows where data is not null and {rows} group by 1),
        told as (select unnest(names) as name, place from shapes)
        select name, min(place) as place from told
        where regexp_full_match(name, $name) and name not in (select unnest($declared))
        group by name order by place, name""",
        {"name": _NAME, "declared": _declared(table)},
    ).fetchall()
    seen = {name: f"topic {p['topic']}, partition {p['partition']}, offset {p['offset']}" for name, p in found}
    first = {**before, **seen, **before}  # those of earlier slices come first, at their own places
    return {UNDECLARED: json.dumps(dict(list(first.items())[:MOST]))} if first else {}


def undeclared(table: Table, marks: Mapping[str, str]) -> dict[str, str]:
    """Where each column was first seen that the present contract does not name."""
    declared = set(_declared(table))
    return {name: place for name, place in json.loads(marks.get(UNDECLARED, "{}")).items() if name not in declared}


def _declared(table: Table) -> list[str]:
    return [n for c in table.columns for n in (c.name, *c.earlier_names)]
