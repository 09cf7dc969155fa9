"""What a run of `make chaos` did and found, as a page.

Where it stops: it counts what the jobs say, and judges nothing but whether enough of everything happened.
"""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from tests.chaos.run import Done, Run
from tests.histories.tally import LEAST, SHARES, Tally

_LIBRARIES = ("duckdb", "pyiceberg", "pyarrow", "dbt-core")


@dataclass
class Report:
    wanted: Run
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    tally: Tally = field(default_factory=Tally)
    jobs: Counter[str] = field(default_factory=Counter)
    differences: list[Done] = field(default_factory=list)

    def add(self, done: Done) -> None:
        self.jobs[done.name] += 1
        self.tally += done.tally
        if done.difference:
            self.differences.append(done)

    def text(self) -> str:
        return "\n".join(
            [*self._head(), *self._injected(), *self._histories(), *self._everything(), *self._found(), ""]
        )

    def _head(self) -> list[str]:
        minutes = (datetime.now(UTC) - self.begun).total_seconds() / 60
        libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
        return [
            "# Chaos report",
            "",
            f"Written by `make chaos MINUTES={self.wanted.length.total_seconds() / 60:g}"
            f" HISTORIES={self.wanted.histories} SEED={self.wanted.seed}`.",
            "",
            f"Begun {self.begun:%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes on {self.wanted.cores} cores,"
            f" Python {platform.python_version()}, {libraries}.",
            "",
        ]

    def _injected(self) -> list[str]:
        happened = self.tally.happened
        return [
            "| | |",
            "|---|---:|",
            f"| processes killed by signal 9 | {happened['kill']:,} |",
            f"| jobs in which processes raced on one table | {happened['race']:,} |",
            f"| faults of writes and commits in histories | {happened['crash']:,} |",
            f"| rows compared with the model | {happened['row']:,} |",
            f"| differences | {len(self.differences) or 'none'} |",
            "",
        ]

    def _histories(self) -> list[str]:
        number = self.tally.histories["history"]
        if not number:
            return []
        shares = [f"| {name} | {self.tally.share(name):.1%} of {SHARES[name]} |" for name in SHARES]
        rare = self.tally.rare()
        verdict = f"Below {LEAST:.0%}: {', '.join(rare)}." if rare else f"Each is above {LEAST:.0%}."
        steps = self.tally.happened["step"]
        return [
            f"{number:,} random histories of {steps / number:.0f} steps on average ({steps:,} in all).",
            "",
            "| | |",
            "|---|---:|",
            *shares,
            "",
            verdict,
            "",
        ]

    def _everything(self) -> list[str]:
        jobs = [f"| job {name} | {count:,} |" for name, count in sorted(self.jobs.items())]
        counts = [f"| {name} | {count:,} |" for name, count in sorted(self.tally.happened.items()) if count]
        return ["Everything that was counted:", "", "| | |", "|---|---:|", *jobs, *counts, ""]

    def _found(self) -> list[str]:
        if not self.differences:
            return ["Differences: none."]
        lines = ["Differences:", ""]
        for done in self.differences:
            lines += [
                f"`python -m tests.chaos --only {done.name} --seed {done.seed}`",
                "",
                "```",
                done.difference,
                "```",
            ]
        return lines
