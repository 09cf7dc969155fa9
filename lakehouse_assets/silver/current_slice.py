"""What a slice of the current fold is, and what comes of it, in whatever process its keys are judged.

Where it stops: which row a key has is `fold_current`'s.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.manifest import DataFile

from lakehouse_assets.engines.iceberg.rewrite import Match


@dataclass(frozen=True)
class Slice:
    """Changes that commits numbered above `mark`, up to `upper`, wrote. `seen` is the highest position that was folded
    before, `truncated` that of the last truncate, this slice's included."""

    mark: int
    upper: int
    seen: str
    truncated: str

    @property
    def of_news(self) -> str:
        """Of a row of the changes, that it is of the slice."""
        return f"load_sequence > {self.mark} and load_sequence <= {self.upper}"


@dataclass(frozen=True)
class Judged:
    """Keys whose row differs: `found` are their old rows and the files that hold these, `rows` take their place."""

    found: Match
    rows: pa.Table


@dataclass(frozen=True)
class Written:
    """Files to swap in one commit, how many keys differ, and how many more rows break each claim, which may be less
    than none."""

    added: list[DataFile]
    removed: list[DataFile]
    keys: int
    violations: Counter[str]


def net(new: pa.Table, old: pa.Table) -> Counter[str]:
    """How many more of the new rows than of the old ones break each claim."""
    counts = _count(new)
    counts.subtract(_count(old))
    return counts


def _count(rows: pa.Table) -> Counter[str]:
    return Counter(claim for row in rows.column("violations").to_pylist() for claim in row or ())
