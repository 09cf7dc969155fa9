"""What the sessions of `make chaos` did and found, as a page.

Where it stops: it counts what the jobs say, and judges nothing but whether enough of everything happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.chaos.sessions import Session
from tests.histories.tally import LEAST, SHARES, Tally


def report(sessions: Sequence[Session]) -> str:
    """Of all of them, as one."""
    tally = sum((session.tally for session in sessions), Tally())
    differences = [(session, found) for session in sessions for found in session.differences]
    lines = ["# Chaos report", "", "Written by `make chaos`.", "", *_sessions(sessions), ""]
    lines += [*_injected(tally, len(differences)), *_histories(tally)]
    lines += _everything(sum((session.jobs for session in sessions), Counter()), tally.happened)
    if not differences:
        return "\n".join([*lines, "Differences: none.", ""])
    lines += ["Differences:", ""]
    for session, found in differences:
        again = f"`python -m tests.chaos --only {found.job} --seed {found.seed}` at {session.commit}"
        lines += [again, "", "```", found.said, "```"]
    return "\n".join([*lines, ""])


def _sessions(sessions: Sequence[Session]) -> list[str]:
    rows = [
        f"| {s.begun:%Y-%m-%d %H:%M} | {s.minutes:.0f} | {s.cores} | {s.commit} | {s.first_seed} to {s.seed - 1}"
        f" | {s.histories['history']:,} | {', '.join(f'{name} {version}' for name, version in s.versions.items())} |"
        for s in sessions
    ]
    head = "| Begun (UTC) | Minutes | Processes | Commit | Seeds | Random histories | On |"
    return [head, "|---|---:|---:|---|---|---:|---|", *rows]


def _injected(tally: Tally, differences: int) -> list[str]:
    happened = tally.happened
    return [
        "| | |",
        "|---|---:|",
        f"| processes killed by signal 9 | {happened['kill']:,} |",
        f"| jobs in which processes raced on one table | {happened['race']:,} |",
        f"| faults of writes and commits in histories | {happened['crash']:,} |",
        f"| rows compared with the model | {happened['row']:,} |",
        f"| differences | {differences or 'none'} |",
        "",
    ]


def _histories(tally: Tally) -> list[str]:
    number = tally.histories["history"]
    if not number:
        return []
    shares = [f"| {name} | {tally.share(name):.1%} of {SHARES[name]} |" for name in SHARES]
    rare = tally.rare()
    verdict = f"Below {LEAST:.0%}: {', '.join(rare)}." if rare else f"Each is above {LEAST:.0%}."
    steps = tally.happened["step"]
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


def _everything(jobs: Counter[str], happened: Counter[str]) -> list[str]:
    did = [f"| job {name} | {count:,} |" for name, count in sorted(jobs.items())]
    counts = [f"| {name} | {count:,} |" for name, count in sorted(happened.items()) if count]
    return ["Everything that was counted:", "", "| | |", "|---|---:|", *did, *counts, ""]
