"""What can happen in a history, as data: a history that failed is printed as the Python that makes it again.

Every field is a small number that any value of is valid, so that a failing history shrinks to the steps that matter.
`WEIGHTS` says how often what happens. Where it stops: `source` and `play` give the steps their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

from tests.histories.shapes import Shape, shapes


@dataclass(frozen=True)
class Quiet:
    """Nothing; what a step that does not matter shrinks to."""


@dataclass(frozen=True)
class Write:
    """Inserts the row of a key, or updates it. Each column takes one digit of `values`: 0 leaves it as it is."""

    key: int = 0
    values: int = 0
    late: int = 0
    stray: int = 0
    wrong: bool = False
    joined: bool = False


@dataclass(frozen=True)
class Delete:
    key: int = 0
    late: int = 0
    stray: int = 0


@dataclass(frozen=True)
class Rekey:
    """A row gets another key: a delete and a create at one place."""

    key: int = 0
    other: int = 0
    late: int = 0


@dataclass(frozen=True)
class Truncate:
    late: int = 0


@dataclass(frozen=True)
class Read:
    """An incremental snapshot reads the row of a key."""

    key: int = 0


@dataclass(frozen=True)
class Resnapshot:
    """The connector lost its place: while it did not look, keys went away, those of the bits of `gone`; then it reads
    every row that is there."""

    gone: int = 0
    late: int = 0


@dataclass(frozen=True)
class Reset:
    """The source's log begins anew and low. It is told `after` so many more steps that it does."""

    after: int = 0


@dataclass(frozen=True)
class Redeliver:
    """The message `back` messages ago once more, at a higher offset."""

    back: int = 0
    stray: int = 0


@dataclass(frozen=True)
class Garbage:
    """A message that is no change."""

    kind: int = 0


Operation = Literal[
    "land", "changes", "current", "rebuild", "compact", "expire", "roll back", "misread", "replay", "retain"
]


@dataclass(frozen=True)
class Run:
    """One operation; `number` chooses the days of a rebuild, the table that is kept in order, or what is misread: from
    then on some messages become dead letters or rejects, until the fault is mended and they are replayed."""

    operation: Operation = "land"
    number: int = 0


@dataclass(frozen=True)
class Crash:
    """An increment, after a rebuild (`number` above 2) or a replay (1), that fails at its `at`-th write or commit.

    It dies there; or, unless it `dies`, an error is raised that it may catch, as when a connection breaks.
    """

    at: int = 0
    dies: bool = True
    number: int = 0


Change = Write | Delete | Rekey | Truncate | Read | Resnapshot | Redeliver | Garbage
Step = Quiet | Change | Reset | Run | Crash


@dataclass(frozen=True)
class History:
    """`rows` are there from the first; `early` begins it in 2019, before the first day that has a partition.

    In the end a `rebuilt` one is made again from bronze.
    """

    shape: Shape
    rows: int
    steps: tuple[Step, ...]
    early: bool = False
    rebuilt: bool = True


_number = st.integers(0, 5)
_late = st.one_of(st.just(0), st.just(0), st.integers(0, 25))
_stray = st.one_of(st.just(0), st.just(0), st.integers(0, 3))
_KINDS: dict[str, st.SearchStrategy[Step]] = {
    "quiet": st.just(Quiet()),
    "write": st.builds(Write, _number, st.integers(0, 1295), _late, _stray, st.just(False), st.booleans()),
    "misfit": st.builds(Write, _number, st.integers(0, 1295), _late, st.just(0), st.just(True)),
    "delete": st.builds(Delete, _number, _late, _stray),
    "rekey": st.builds(Rekey, _number, _number, _late),
    "truncate": st.builds(Truncate, _late),
    "read": st.builds(Read, _number),
    "snapshot": st.builds(Resnapshot, st.integers(0, 63), _late),
    "reset": st.builds(Reset, _number),
    "redeliver": st.builds(Redeliver, st.integers(0, 30), _stray),
    "garbage": st.builds(Garbage, _number),
    "land": st.just(Run("land")),
    "changes": st.just(Run("changes")),
    "current": st.just(Run("current")),
    "rebuild": st.builds(Run, st.just("rebuild"), _number),
    "compact": st.builds(Run, st.just("compact"), _number),
    "expire": st.builds(Run, st.just("expire"), _number),
    "roll back": st.builds(Run, st.just("roll back"), _number),
    "misread": st.builds(Run, st.just("misread"), _number),
    "replay": st.just(Run("replay")),
    "retain": st.builds(Run, st.just("retain"), _number),
    "crash": st.builds(Crash, st.integers(0, 20), st.booleans(), _number),
}
WEIGHTS = {
    "quiet": 1,
    "write": 80,
    "misfit": 4,
    "delete": 28,
    "rekey": 12,
    "truncate": 4,
    "read": 8,
    "snapshot": 2,
    "reset": 1,
    "redeliver": 22,
    "garbage": 3,
    "land": 4,
    "changes": 3,
    "current": 1,
    "rebuild": 1,
    "compact": 1,
    "expire": 1,
    "roll back": 1,
    "misread": 3,
    "replay": 2,
    "retain": 2,
    "crash": 2,
}
_DRAWN = tuple(kind for kind, weight in WEIGHTS.items() for _ in range(weight))
STEPS = 50
"""Every history has at least so many, not counting quiet ones, and its snapshot's rows as well."""


@st.composite
def histories(draw: st.DrawFn) -> History:
    shape = draw(shapes())
    kinds = draw(st.lists(st.sampled_from(_DRAWN), min_size=STEPS + 6, max_size=STEPS + 12))
    steps = tuple(draw(_KINDS[kind]) for kind in kinds)
    rebuilt = draw(st.sampled_from((False, False, True)))
    return History(shape, draw(st.integers(0, 5)), steps, draw(st.booleans()), rebuilt)
