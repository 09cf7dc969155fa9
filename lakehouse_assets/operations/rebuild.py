"""Rebuilds days of a selection in this process: silver by day, then what lies below it, then marts and gold by day.

Date-grained marts read other marts and the vault, which have no days: these take what the rebuilt days changed first.
Where it stops: how long a range may be is the caller's; a long one is `backfill.py`'s to cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg

from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.broken_off import settle
from lakehouse_assets.operations.materialize import (
    Listener,
    Outcome,
    Stretch,
    UnknownSelection,
    below,
    below_days,
    run_assets,
    select,
)
from lakehouse_assets.operations.reach import require_days


@dataclass(frozen=True)
class Step:
    """One run: these assets, for these days or for what is new."""

    keys: frozenset[dg.AssetKey]
    stretch: Stretch | None


def rebuild(
    definitions: dg.Definitions,
    platform: Platform,
    instance: dg.DagsterInstance,
    selection: str,
    first: date,
    last: date,
    listen: Listener = lambda _: None,
    planned: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Rebuilds the days `first` to `last` of the selection's assets by day, then what lies below them; lands nothing.

    Raises as `rebuild_steps` does.
    """
    steps = rebuild_steps(definitions, platform, selection, [(first, last)])
    return run_steps(definitions, platform, instance, steps, listen, planned)


def rebuild_steps(
    definitions: dg.Definitions,
    platform: Platform,
    selection: str,
    pieces: Sequence[Stretch],
    downstream: bool = False,
) -> list[Step]:
    """The runs that rebuild the days of the pieces, in their order: a mart's days follow what is above them whole.

    `downstream` adds all that is made of the selection.
    Raises UnknownSelection where nothing of the selection has days, CannotRebuild where what a day is made of is gone.
    """
    graph = definitions.resolve_asset_graph()
    chosen = select(definitions, selection)
    if downstream:
        chosen = below(definitions, chosen) & graph.materializable_asset_keys
    by_day = {k for k in chosen if graph.get(k).partitions_def is not None}
    if not by_day:
        raise UnknownSelection(f"{selection!r} names no asset by day; add what has days, or leave out the days")
    require_days(platform, by_day, min(first for first, _ in pieces))
    daily = below_days(definitions) & by_day
    whole = (chosen & below(definitions, by_day)) - by_day
    steps = [
        *(Step(frozenset(by_day - daily), piece) for piece in pieces),
        Step(frozenset(whole), None),
        *(Step(frozenset(daily), piece) for piece in pieces),
    ]
    return [step for step in steps if step.keys]


def run_steps(
    definitions: dg.Definitions,
    platform: Platform,
    instance: dg.DagsterInstance,
    steps: Iterable[Step],
    listen: Listener = lambda _: None,
    planned: Callable[[int], None] = lambda _: None,
    done: Callable[[Step], None] = lambda _: None,
) -> Outcome:
    """One run after the other, until one fails; says which are done."""
    settle(instance, platform.home)
    outcome = Outcome()
    for step in steps:
        outcome += run_assets(definitions, platform, instance, set(step.keys), step.stretch, listen, planned)
        if not outcome.success:
            break
        done(step)
    return outcome
