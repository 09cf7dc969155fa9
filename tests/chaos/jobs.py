"""What `make chaos` does in turns: each job takes a seed and counts what it did. A difference is an AssertionError.

Where it stops: when which job runs is `run`'s.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.bronze.backlog import peak_memory
from tests.bronze.crashes import ANY_MOMENT, crash_and_restart
from tests.bronze.doomed import POINTS
from tests.chaos.folders import kill_and_restart
from tests.chaos.run import Job
from tests.counting import Traffic
from tests.histories.lakehouse import one_database
from tests.histories.play import play
from tests.histories.steps import History, histories
from tests.histories.tally import Tally
from tests.silver.grown import CHANGES, CURRENT, cost
from tests.silver.lakes import open_platform
from tests.vault.histories import STEPS, live

HISTORIES = 40
KILLS = 20
_VAULTS = 4
_SIZES = (1_000_000, 10_000_000, 50_000_000)
_BACKLOGS = (500_000, 5_000_000)


def random_histories(number: int) -> Tally:
    """Of random tables, against the model and a rebuild."""
    tally = Tally()

    @seed(number)
    @settings(
        max_examples=HISTORIES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(histories())
    def every(history: History) -> None:
        tally.add(play(history))

    with one_database():
        every()
    return tally


def killed_landers(number: int) -> Tally:
    """At every point of a landing and at any moment; two of three times while another lander races."""
    with tempfile.TemporaryDirectory() as home:
        landers = 1 + (number % 3 > 0)
        hit = crash_and_restart(Path(home), KILLS, number, landers=landers)
        kills = sum(hit[point] for point in (*POINTS, ANY_MOMENT))
        return _operated(hit + Counter({"kill": kills}), races=landers > 1)


def killed_folders(number: int) -> Tally:
    """Processes that land, fold, rebuild and compact, one at a time."""
    with tempfile.TemporaryDirectory() as home:
        return _operated(kill_and_restart(Path(home), number, processes=1), races=False)


def racing_folders(number: int) -> Tally:
    """Three such processes at once, some of them killed."""
    with tempfile.TemporaryDirectory() as home:
        return _operated(kill_and_restart(Path(home), number, processes=3), races=True)


def vault_histories(number: int) -> Tally:
    """Through dbt, up to the satellites and their histories."""
    chance, counts = random.Random(number), Counter[str]()
    for _ in range(_VAULTS):
        drawn = [(chance.choice(STEPS), chance.randrange(31)) for _ in range(chance.randint(8, 12))]
        with tempfile.TemporaryDirectory() as home:
            counts += live(Path(home), chance.randrange(10**6), drawn)
    return Tally(counts)


def cost_by_size(_: int) -> Tally:
    """The same news in tables of 1, 10 and 50 million rows: the same data files and bytes."""
    first: Traffic | None = None
    counts = Counter[str]()
    for rows in _SIZES:
        with tempfile.TemporaryDirectory() as home, open_platform(Path(home)) as platform:
            found = cost(platform, rows)
        first = first or found
        for name in (CHANGES, CURRENT):
            assert found.read[name, "data"] == first.read[name, "data"], f"{name}: {rows} rows read other bytes"
            assert found.written[name, "data"] == first.written[name, "data"], f"{name}: {rows} rows wrote other bytes"
            assert found.files_written(name, "manifest") == first.files_written(name, "manifest"), name
            counts[f"bytes of {name} read at each size"] = found.bytes_read(name)
            counts[f"bytes of {name} written at each size"] = found.bytes_written(name)
        counts["row"] += 2 * rows
        counts[f"size {rows:,}"] += 1
    return _operated(counts, races=False)


def memory_by_backlog(_: int) -> Tally:
    """Landing five million messages takes the memory of landing half a million."""
    peaks = {}
    for messages in _BACKLOGS:
        with tempfile.TemporaryDirectory() as home:
            peaks[messages] = peak_memory(Path(home), messages, 100_000)
    small, large = (peaks[messages] for messages in _BACKLOGS)
    assert large < 1.25 * small, f"{_BACKLOGS} messages take {small:,} and {large:,} bytes"
    counts = Counter({f"bytes of memory at a backlog of {messages:,}": peak for messages, peak in peaks.items()})
    return _operated(counts + Counter({"row": sum(_BACKLOGS)}), races=False)


def _operated(counts: Counter[str], races: bool) -> Tally:
    return Tally(counts + Counter({"race": int(races)}))


ONCE: tuple[Job, ...] = (cost_by_size, memory_by_backlog)
"""Take minutes, and the same ones whatever the seed."""
TURNS: tuple[Job, ...] = (
    random_histories,
    random_histories,
    killed_landers,
    random_histories,
    killed_folders,
    random_histories,
    vault_histories,
    random_histories,
    racing_folders,
)
