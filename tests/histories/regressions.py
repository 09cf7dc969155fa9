"""Histories that are always played: each failed once, on the project or on a fault that was planted to see it found.

Where it stops: what was wrong is told by the commit that mended it.
"""

from __future__ import annotations

from tests.histories.shapes import Shape
from tests.histories.steps import History, Run, Write

TWO_CHANGES_IN_ONE_FOLD = History(
    Shape(), 2, (Write(0, 3), Run("land"), Run("changes"), Write(0, 4, late=9), Write(1, 5))
)
"""Tells a fold that keeps the first change of a key from one that keeps the last."""

REGRESSIONS: tuple[History, ...] = (TWO_CHANGES_IN_ONE_FOLD,)
