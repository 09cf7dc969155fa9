"""`lakehouse query --snapshot`, `diff` and `tag`: points on the command line, nothing removed without a yes."""

from __future__ import annotations

import json

import pyarrow as pa
from pyiceberg.catalog import Catalog

from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.scan import ancestors
from tests.cli.conftest import Lakehouse

DAYS = "marts.days"


def _add_a_day(held: Catalog) -> tuple[int, int]:
    """The snapshots before and after it."""
    table = held.load_table(DAYS)
    row = table.scan().to_arrow().slice(0, 1)
    later = pa.array([row["day"][0].as_py().replace(day=6)], pa.date32())
    commit(table, summary={}, added=write_files(table, row.set_column(0, "day", later)))
    new, old = (s.snapshot_id for s in ancestors(held.load_table(DAYS)))
    return old, new


def test_a_query_reads_a_snapshot_a_tag_or_a_time(lakehouse: Lakehouse, held: Catalog) -> None:
    old, new = _add_a_day(held)
    assert lakehouse("tag", DAYS, "begin", "--snapshot", str(old)).exit_code == 0

    def count(*at: str) -> str:
        return lakehouse("query", 'select count(*) as n from "marts"."Days"', "--format", "csv", *at).stdout

    assert [count(*at) for at in ((), ("--snapshot", str(new)))] == ["n\n4\n"] * 2
    assert [count("--snapshot", at) for at in (str(old), "begin")] == ["n\n3\n"] * 2
    made = json.loads(lakehouse("history", DAYS, "--format", "json").stdout)
    assert [count("--as-of", version["at"]) for version in made] == ["n\n4\n", "n\n3\n"]
    empty = lakehouse("query", "from silver.nothing", "--snapshot", str(old))
    assert (empty.exit_code, "silver.nothing: there is no snapshot" in empty.stderr) == (2, True)


def test_a_difference_is_one_document_or_rows(lakehouse: Lakehouse, held: Catalog) -> None:
    old, new = _add_a_day(held)
    words = ("diff", DAYS, "--from", str(old), "--metric", "count(distinct day)")
    found = json.loads(lakehouse(*words, "--format", "json").stdout)
    assert (found["added"], found["changed"], found["removed"]) == (1, 0, 0)
    assert (found["from"]["snapshot_id"], found["to"]["snapshot_id"]) == (old, new)
    assert found["metric"] == {"expression": "count(distinct day)", "from": 1, "to": 2}
    assert [row["day"] for row in found["rows"]] == ["2026-01-06"]
    told = lakehouse(*words, "--format", "csv")
    assert told.stdout.splitlines()[0] == "change,day,amount,rate,changed_columns"
    assert told.stderr == "added 1, changed 0, removed 0; count(distinct day): 1 to 2\n"


def test_a_tag_is_set_listed_and_removed_only_with_a_yes(lakehouse: Lakehouse, held: Catalog) -> None:
    old, new = _add_a_day(held)

    def tags() -> dict[str, int]:
        shown = json.loads(lakehouse("tag", DAYS, "--format", "json").stdout)
        return {row["tag"]: row["snapshot_id"] for row in shown}

    assert lakehouse("tag", DAYS, "now", "--dry-run").exit_code == 0
    assert tags() == {}
    lakehouse("tag", DAYS, "now")
    lakehouse("tag", DAYS, "begin", "--snapshot", str(old))
    assert tags() == {"begin": old, "now": new}
    before = held.load_table(DAYS).metadata_location
    assert lakehouse("tag", DAYS, "now", "--remove", "--dry-run").exit_code == 0
    refused = lakehouse("tag", DAYS, "now", "--remove")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert held.load_table(DAYS).metadata_location == before
    assert lakehouse("tag", DAYS, "now", "--remove", "--yes").exit_code == 0
    assert tags() == {"begin": old}
