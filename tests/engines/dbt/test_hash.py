"""The hash macros, on the engine that runs them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from lakehouse_assets.engines.dbt.runner import invoke
from lakehouse_assets.vault.manifest import PROJECT_DIR

EVERY_TYPE = {
    "text": "'a|b'",
    "varchar(50)": "'a\\b'",
    "char(3)": "'EUR'",
    "uuid": "'8f14e45f-ceea-467f-a0e6-1c2b3d4e5f60'",
    "json": "'{}'",
    "int": "-7",
    "bigint": "9007199254740993",
    "unsigned_bigint": "18446744073709551615::decimal(20, 0)",
    "decimal(15,2)": "1.50::decimal(15, 2)",
    "bool": "false",
    "date": "date '2026-03-01'",
    "timestamptz(6)": "timestamptz '2026-03-01 01:02:03.000004+02:00'",
    "datetime(3)": "timestamp '2026-03-01 01:02:03.004'",
    "bytes": "'ab'::blob",
    "numeric": "'-1.5'",
    "bits(4)": "'0101'",
    "time(6)": "time '23:59:59.5'",
    "interval": "'P0Y1M0DT0H0M0S'",
    "duration": "-1::bigint",
}

EXPECTED = "ae0fb017d4a6cdfc54653e9054b54bbb"
"""MD5 of the canonical texts joined, worked out by hand and not by these macros."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """SQL of the hash over a row of every type, and over two texts."""
    every = ", ".join(f"canonical('c{n}', '{kind}')" for n, kind in enumerate(EVERY_TYPE))
    inline = f"{{{{ hash([{every}]) }}}};;{{{{ hash([canonical('a', 'text'), canonical('b', 'text')]) }}}}"
    home: Path = tmp_path_factory.mktemp("dbt")
    ended = invoke(PROJECT_DIR, home, "embedded", ["compile", "--no-introspect", "--inline", inline])
    assert ended.exception is None
    row, pair = ended.result.results[0].node.compiled_code.split(";;")
    return {"row": row, "pair": pair}


def evaluate(sql: str, columns: str) -> str:
    with duckdb.connect() as conn:
        conn.execute("set TimeZone = 'UTC'")
        found = conn.execute(f"select {sql} from (select {columns})").fetchone()
    assert found is not None
    return found[0]


def test_a_row_of_every_type_has_one_hash_for_ever(compiled):
    columns = ", ".join(f"{value} as c{n}" for n, value in enumerate(EVERY_TYPE.values()))
    assert evaluate(compiled["row"], columns) == EXPECTED


def test_nulls_and_delimiters_never_collide(compiled):
    texts = ["null", "''", "'|'", "'='", "'\\'", "'|='", "'\\|'", "'|=|'", "'a'", "'a|'", "'|a'", "'\\|='"]
    hashes = [evaluate(compiled["pair"], f"{a}::varchar as a, {b}::varchar as b") for a in texts for b in texts]
    assert len(set(hashes)) == len(texts) ** 2
    assert all(len(h) == 32 and set(h) <= set("0123456789abcdef") for h in hashes)
