"""Histories that are always played: each failed once, on the project or on a fault that was planted to see it found.

Where it stops: what was wrong is told by the commit that mended it.
"""

from __future__ import annotations

from tests.histories.shapes import Shape
from tests.histories.steps import Crash, Delete, History, Read, Reset, Resnapshot, Run, Write

TWO_CHANGES_IN_ONE_FOLD = History(
    Shape(), 2, (Write(0, 3), Run("land"), Run("changes"), Write(0, 4, late=9), Write(1, 5))
)
"""Tells a fold that keeps the first change of a key from one that keeps the last."""

A_READ_BEHIND_A_DEAD_LETTER = History(
    Shape(), 2, (Write(0, 3, stray=2), Run("misread", 1), Write(3), Read(0), Run("land"), Run("changes"))
)

CHANGES_DROPPED_AND_REBUILT = History(Shape("mariadb"), 2, (Write(0, 3), Run("retain", 3), Write(1, 5)), early=True)
"""Of 1 January and landed on the 2nd: bronze still holds what is dropped."""

A_LOG_THAT_BEGINS_WITH_A_READ = History(
    Shape("mariadb", ("int", "uuid"), ("int", "text")), 2, (Write(2), Reset(2), Write(1), Read(0), Resnapshot())
)

A_NEW_LOG_THAT_BEGINS_WITH_A_DEAD_LETTER = History(
    Shape("postgresql", ("int",), ("text",), partitioned=True, ruled=True),
    0,
    (Write(1, 104), Reset(2), Write(1), Run("misread", 4)),
)

A_REPLAY_THAT_FAILED = History(
    Shape(columns=("text",)), 0, (Delete(0), Run("misread", 0), Run("land"), Crash(0, False, 1))
)

REGRESSIONS: tuple[History, ...] = (
    TWO_CHANGES_IN_ONE_FOLD,
    A_READ_BEHIND_A_DEAD_LETTER,
    CHANGES_DROPPED_AND_REBUILT,
    A_LOG_THAT_BEGINS_WITH_A_READ,
    A_NEW_LOG_THAT_BEGINS_WITH_A_DEAD_LETTER,
    A_REPLAY_THAT_FAILED,
)
