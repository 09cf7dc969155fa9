"""A history of the bank that grows through every layer up to the vault, cut and interrupted as its steps say.

Its messages are late, twice and through strange partitions; the vault is built by dbt, now whole, now some models of
it, now with a failing disk. Where it stops: what befalls silver alone is `tests/histories`'s, on random tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NoReturn

from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.dbt.project import Model
from lakehouse_assets.engines.dbt.runner import DbtFailed
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.rebuild import rebuild_changes
from lakehouse_assets.sources.changes import START
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.vault import manifest
from lakehouse_assets.vault.build import build
from tests import model
from tests.end_to_end.differences import vault
from tests.end_to_end.lakehouse import Lakehouse
from tests.histories.faults import Broken, Fuse
from tests.histories.lakehouse import lakehouse
from tests.histories.play import forget
from tests.scenario import scenario
from tests.silver.lakes import take

Kind = Literal["arrive", "fold", "some", "break", "rebuild"]
Step = tuple[Kind, int]
STEPS: tuple[Kind, ...] = ("arrive", "arrive", "arrive", "arrive", "fold", "fold", "some", "break", "rebuild")
"""As often as they are to happen."""
KNOBS: dict[str, Any] = {"rows": 6, "transactions": 18, "late": 0.2, "strayed": 0.15, "holes": 0.0}


@dataclass
class Bank:
    """`waiting` are the messages of each table that have not come yet."""

    platform: Platform
    waiting: dict[str, list[Message]]
    tables: tuple[Table, ...]
    models: list[Model]
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, step: Step) -> None:
        kind, number = step
        table = self.tables[number % len(self.tables)]
        self.counts[f"vault step {kind}"] += 1
        match kind:
            case "arrive":
                self.arrive(table, 1 + number)
            case "fold":
                fold_changes(self.platform, table)
            case "some":
                self.build([m for place, m in enumerate(self.models) if (place + number) % 3])
            case "break":
                self.build_on_a_broken_disk(number)
            case "rebuild":
                first = START.date() + timedelta(days=number % 3)
                rebuild_changes(self.platform, table, first, first + timedelta(days=number % 2))

    def arrive(self, table: Table, count: int) -> None:
        messages = self.waiting[table.id]
        self.waiting[table.id] = messages[count:]
        self.counts["vault message"] += len(messages[:count])
        take(self.platform, table, messages[:count])

    def build(self, models: Sequence[Model]) -> None:
        """Without dbt's own tests: the model is a stricter one."""
        for _ in build(self.platform, manifest.project(), models, wants_test=lambda _: False):
            pass

    def build_on_a_broken_disk(self, number: int) -> None:
        def fail(place: str) -> NoReturn:
            raise Broken(place)

        try:
            with Fuse.set(number, fail):
                self.build(self.models)
        except (DbtFailed, Broken):
            self.counts["vault build failed"] += 1

    def finish(self) -> list[str]:
        """How the vault differs from the model, and where a history's intervals do not follow each other."""
        for table in self.tables:
            self.arrive(table, len(self.waiting[table.id]))
            fold_changes(self.platform, table)
        self.build(self.models)
        held = Lakehouse(self.platform, None, None, [])  # type: ignore[arg-type]
        found = vault(held, model.read_home(self.platform.home))
        for name in ("s_users", "s_accounts"):
            rows = held.rows(f"business_vault.{name}_history")
            self.counts["row"] += len(rows) + len(held.rows(f"raw_vault.{name}"))
            found += broken_intervals(name, rows)
        return found


def live(home: Path, seed: int, steps: Sequence[Step]) -> Counter[str]:
    """A history of that seed, in a new lakehouse: what happened. Raises AssertionError with the differences."""
    bank = tuple(each for each in tables() if each.source.name == "bank")
    waiting = {each.id: list(scenario(each, seed, **KNOBS).stream.messages) for each in bank}
    names = {*model.HUBS, *model.LINKS, *model.SATELLITES, *(f"e_{name}" for name in model.LINKS)}
    names |= {f"{name}_history" for name in model.SATELLITES}
    known = manifest.project().models.values()
    ours = [m for m in known if m.name in names and "shop" not in m.name]
    with lakehouse(home) as platform:
        playing = Bank(platform, waiting, bank, ours)
        for table in bank:
            playing.arrive(table, 1)
            fold_changes(platform, table)
        for step in steps:
            playing.take(step)
        found = playing.finish()
    forget()
    assert not found, f"seed {seed}, steps {list(steps)}: {found}"
    return playing.counts + Counter({"vault history": 1})


def broken_intervals(name: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Where one interval does not begin when the one before it ends, or more or fewer than one has no end."""
    by_key: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_key.setdefault(next(iter(row.values())), []).append(row)
    found = []
    for key, intervals in by_key.items():
        intervals.sort(key=lambda row: (row["valid_from"], row["valid_to"] is None, row["valid_to"]))
        if any(before["valid_to"] != after["valid_from"] for before, after in pairwise(intervals)):
            found.append(f"{name} {key}: a gap or an overlap in {intervals}")
        if [row["valid_to"] for row in intervals].count(None) != 1:
            found.append(f"{name} {key}: not one interval without end in {intervals}")
    return found
