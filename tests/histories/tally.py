"""What happened in many histories, counted in messages, operations and histories, and whether it was enough.

Where it stops: `steps.WEIGHTS` decides it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SHARES = {
    "late": "messages",
    "duplicate": "messages",
    "delete": "messages",
    "truncate": "histories",
    "crash": "histories",
    "composite key": "histories",
    "snapshot": "histories",
    "reset": "histories",
    "replayed": "histories",
    "retained bronze": "histories",
    "retained silver": "histories",
}
"""What each must have a twentieth of. A truncate or a crash in every twentieth message would leave nothing standing."""
LEAST = 0.05


@dataclass
class Tally:
    """`happened` counts every occurrence, `histories` those in which it occurred at all."""

    happened: Counter[str] = field(default_factory=Counter)
    histories: Counter[str] = field(default_factory=Counter)

    def add(self, counts: Counter[str]) -> None:
        self.happened += counts
        self.histories += Counter({name: 1 for name, count in counts.items() if count} | {"history": 1})

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.happened + other.happened, self.histories + other.histories)

    def share(self, name: str) -> float:
        if SHARES[name] == "histories":
            return self.histories[name] / max(1, self.histories["history"])
        return self.happened[name] / max(1, self.happened["message"])

    def rare(self) -> list[str]:
        """What happened too seldom for the histories to prove anything about it."""
        return [f"{name}: {self.share(name):.1%}" for name in SHARES if self.share(name) < LEAST]

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {self.share(name):.0%} of {SHARES[name]}" for name in SHARES)
        others = ", ".join(f"{n} {c:,}" for n, c in sorted(self.happened.items()) if n not in (*SHARES, "history"))
        return f"{self.histories['history']:,} histories: {shares}; {others}"
