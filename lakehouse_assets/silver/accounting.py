"""What a silver table did with each bronze row: taken, refused, superseded or of no consequence.

The counts are marks of the table, written by the commit that folds the rows: `in` = `out` + `rejected` +
`superseded` + `ignored` + `retired`, and `out` + `derived` is what Iceberg counts. Each is counted by itself, so that a
row which a fold loses is missing in the sum. Where it stops: `checks` compares them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

_PREFIX = "lakehouse.rows-"
REFUSED = "lakehouse.refused-by-rule"


@dataclass(frozen=True)
class Account:
    """Bronze rows, all runs together. `superseded` are redeliveries and older versions, `ignored` tombstones,
    dead letters and messages that are no change, `retired` what retention dropped.
    `derived` rows of the table are of no bronze row of their own: the ends of complete snapshots."""

    taken_in: int = 0
    out: int = 0
    rejected: int = 0
    superseded: int = 0
    ignored: int = 0
    retired: int = 0
    derived: int = 0

    @property
    def balances(self) -> bool:
        return self.taken_in == self.out + self.rejected + self.superseded + self.ignored + self.retired

    def __add__(self, other: Account) -> Account:
        return Account(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))

    def __sub__(self, other: Account) -> Account:
        return Account(*(a - b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))

    def after(
        self, taken_in: int, ignored: int, out: int, rejected: int, superseded: int | None, derived: int = 0
    ) -> Account:
        """With `taken_in` rows more, of which `ignored` and `superseded`, and `out` rows more in the table; `rejected`
        is the total. None says that nobody counted the superseded ones: what this commit leaves over then is."""
        if superseded is None:
            superseded = taken_in - ignored - out - (rejected - self.rejected)
        return Account(
            self.taken_in + taken_in,
            self.out + out,
            rejected,
            self.superseded + superseded,
            self.ignored + ignored,
            self.retired,
            self.derived + derived,
        )

    def without(self, rows: int) -> Account:
        """After retention dropped so many rows of the table."""
        return replace(self, out=self.out - rows, retired=self.retired + rows)

    def summary(self) -> dict[str, str]:
        return {_PREFIX + name: str(count) for name, count in asdict(self).items()}


def account(marks: Mapping[str, str]) -> Account:
    return Account(**{name: int(marks.get(_PREFIX + name, 0)) for name in asdict(Account())})


def refused_by_rule(marks: Mapping[str, str]) -> Counter[str]:
    """How many bronze rows the table refused, by rule; the sum is `rejected`."""
    return Counter(json.loads(marks.get(REFUSED, "{}")))
