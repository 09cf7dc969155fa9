"""A flood: most of a batch is refused, because a producer, a decoder or a contract is wrong, and not single messages.

It stops the run before anything is committed, so that it fills no table. A contract says what share of how many
messages is a flood; a setting lets it in. Where it stops: who counts is `land`, `land_files` and `silver/folding.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import Mendable


class Flood(Mendable):
    """More of a batch is refused than the contract bears; the message names the share, the first one and the fix."""


class First(NamedTuple):
    """The first refused message of a batch, and why it is."""

    topic: str
    partition: int
    offset: int
    reason: str


def refuse_flood(
    platform: Platform, table: Table, are: str, refused: int, total: int, first: Callable[[], First]
) -> None:
    """Raises Flood where `refused` of a batch of `total` messages `are` dead letters or rejects, and that is one."""
    if total < table.flood_minimum or refused <= table.flood_share * total or table.id in platform.let_floods_in:
        return
    one = first()
    raise Flood(
        f"{table.id}: {refused} of a batch of {total} messages are {are} ({refused / total:.0%}, a flood is more than"
        f" {table.flood_share:.0%}); the first is topic {one.topic}, partition {one.partition}, offset {one.offset}:"
        f" {one.reason}. Nothing of the batch was taken and the offsets stay: mend the producer, the decoder or the"
        f" contract and run again, or take it as it is with LAKEHOUSE_LET_FLOODS_IN={table.id}"
    )
