"""How many bytes a fold rewrites for each byte that changed: `python -m benchmarks.amplification --rows 1000000`.

A current table is written copy-on-write: a file that holds one touched key is replaced whole. Keys that belong to the
newest days share few files; random keys touch all of them, which is the worst case. Bytes changed are the touched rows'
share of their table's bytes. It prints a Markdown table; no time is measured.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lakehouse_assets.engines.iceberg.scan import bytes_of, data_files, rows_of
from tests.counting import counted
from tests.silver.grown import CURRENT, NEAR_ROWS, days_of, grow
from tests.silver.lakes import fold, open_platform, take
from tests.silver.told import SESSIONS, session

_COUNTS = (1, 10, 100, 1000)
_AFTER = 2 * 10**12


def measured(rows: int, keys: Sequence[int]) -> tuple[int, int, float]:
    """Files and bytes of the current table that updates of the keys rewrite, and bytes for each byte that changed."""
    with tempfile.TemporaryDirectory() as home, open_platform(Path(home)) as platform:
        grow(platform, rows)
        days = days_of(rows)
        held = data_files(platform.open_catalog().load_table(CURRENT))
        told = [session(1 + n, key, 4 - days(key), "u", _AFTER + n, "mobile") for n, key in enumerate(sorted(keys))]
        with counted(platform.home) as traffic:
            take(platform, SESSIONS, told)
            fold(platform, SESSIONS)
        written = traffic.bytes_written(CURRENT)
        changed = bytes_of(held) / rows_of(held) * len(keys)
        return traffic.files_written(CURRENT), written, written / changed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.amplification", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table (1,000,000)")
    rows = parser.parse_args().rows
    chance = random.Random(1)
    print(f"| keys of {rows:,} | chosen | files rewritten | bytes rewritten | for each byte changed |")
    print("|---:|---|---:|---:|---:|")
    for count in _COUNTS:
        for chosen, among in (("of the newest day", NEAR_ROWS), ("at random", rows)):
            files, written, times = measured(rows, chance.sample(range(1, among + 1), count))
            print(f"| {count:,} | {chosen} | {files} | {written:,} | {times:,.1f} |")


if __name__ == "__main__":
    main()
