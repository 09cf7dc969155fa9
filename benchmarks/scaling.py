"""What each step takes of a core, and what Spark adds: `python -m benchmarks.scaling --rows 500000`.

CPU time of this process and all that it started, which other work on the machine changes little, and wall time, which
it does. Spark runs where pyspark is installed, in a JVM of this machine. It prints the table of
`docs/scaling.md`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
from pyspark.sql import SparkSession

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.iceberg.scan import bytes_of, data_files
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.engines.spark.session import open_session
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.fold_events import fold_events
from lakehouse_assets.sources.events import EventStream, Traffic
from lakehouse_assets.sources.writer import append
from tests.silver.lakes import open_platform
from tests.silver.many_changes import told
from tests.silver.told import SESSIONS, session

EVENTS = registry.table("clickstream_user_events")
_BATCH = 100_000


def measured(step: str, rows: int, work: Callable[[], object]) -> None:
    cpu, began = _cpu(), time.monotonic()
    work()
    busy, wall = _cpu() - cpu, time.monotonic() - began
    print(f"| {step} | {rows:,} | {busy:.1f} | {rows / busy:,.0f} | {wall:.1f} |", flush=True)


def _cpu() -> float:
    """Seconds of all cores, of this process and those below it."""
    return sum(_seconds(process) for process in (psutil.Process(), *psutil.Process().children(recursive=True)))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


@contextmanager
def lakehouse() -> Iterator[Platform]:
    with tempfile.TemporaryDirectory() as home, open_platform(Path(home)) as platform:
        yield replace(platform, batch_messages=_BATCH)


def events(rows: int) -> None:
    with lakehouse() as platform:
        stream = EventStream(Traffic(seed=1, rate=rows / 86_400))
        for _ in range(0, rows, _BATCH):
            append(platform.home / "events", stream.take(_BATCH).messages)
        measured("land events", rows, lambda: land(platform, EVENTS))
        measured("refine events", rows, lambda: fold_events(platform, EVENTS))


def changes(rows: int) -> None:
    with lakehouse() as platform:
        for first in range(1, rows, _BATCH):
            append(platform.home / "events", [session(n - 1, n, 1, "c", n) for n in range(first, first + _BATCH)])
        measured("land changes", rows, lambda: land(platform, SESSIONS))
        measured("refine changes", rows, lambda: fold_changes(platform, SESSIONS))


def current(rows: int, engine: str, spark: SparkSession | None) -> None:
    """The first 60 % into an empty table, then late changes, updates and deletes into a full one."""
    with lakehouse() as opened:
        platform = opened if spark is None else replace(opened, open_spark=lambda: spark, refined_by="spark")
        shares = (0.6, 0.2, 0.2)
        for share, (number, _) in zip(shares, enumerate(told(platform, rows), 1), strict=True):
            step = f"current rows, commit {number}, {engine}"
            measured(step, int(rows * share), lambda: fold_current(platform, SESSIONS))
        table = platform.open_catalog().load_table(schema.current_name(SESSIONS))
        print(f"| - {len(data_files(table))} files, {bytes_of(data_files(table)):,} bytes | | | | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="of each step, in hundred thousands (500,000)")
    parser.add_argument("--cores", type=int, nargs="*", default=[1, 2], help="of Spark, one run each (1 2)")
    chosen = parser.parse_args()
    print("| step | rows | CPU s | rows per CPU s | wall s |")
    print("|---|---:|---:|---:|---:|")
    events(chosen.rows)
    changes(chosen.rows)
    current(chosen.rows, "DuckDB", None)
    os.environ["SPARK_CONF_DIR"] = str(Path(__file__).parents[1] / "deploy" / "spark")
    for cores in chosen.cores:
        spark = open_session({"spark.master": f"local[{cores}]", "spark.driver.memory": "1g"}, {})
        spark.sparkContext.parallelize(range(cores), cores).map(lambda n: n).collect()
        current(chosen.rows, f"Spark on {cores}", spark)
        spark.stop()


if __name__ == "__main__":
    main()
