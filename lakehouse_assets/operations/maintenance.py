"""Maintenance of tables, one kind of work after the other, with what there was before and after.

Retention and compaction come before expiry, because what they replace goes with the snapshots, and orphans last.
A table that fails is told and left alone, and the others are maintained.
Where it stops: each kind states its own safety.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lakehouse_assets.engines.iceberg.scan import bytes_of
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import Mendable
from lakehouse_assets.operations import compaction, expiry, orphans, retention, spark_maintenance
from lakehouse_assets.operations.history import open_table
from lakehouse_assets.operations.outside import explained

LAYERS = ("bronze", "silver", "raw_vault", "business_vault", "marts")


@dataclass(frozen=True)
class Work:
    """What was done to a table, or would be; `what` is a partition, or says how much."""

    table: str
    kind: str
    what: str
    files_before: int
    bytes_before: int
    files_after: int | None
    bytes_after: int | None
    """None in a plan where only doing it tells."""


class _Counted(Protocol):
    @property
    def files_before(self) -> int: ...
    @property
    def bytes_before(self) -> int: ...
    @property
    def files_after(self) -> int: ...
    @property
    def bytes_after(self) -> int: ...


Step = Callable[[Platform, str], Iterator[Work]]
Failed = Callable[[str], None]
"""Is told which kind of work failed on which table, and why."""


@dataclass(frozen=True)
class Kind:
    """One kind of maintenance: `plan` changes nothing, `do` yields what it did."""

    plan: Step
    do: Step
    description: str


def tables(platform: Platform, named: Sequence[str] = ()) -> list[str]:
    """The tables to maintain: those named, or all of the lake. Raises UnknownTable."""
    catalog = platform.open_catalog()
    if named:
        return [".".join(open_table(catalog, name).name()) for name in named]
    held = {space[0] for space in catalog.list_namespaces()}
    return sorted(".".join(name) for layer in LAYERS if layer in held for name in catalog.list_tables(layer))


def planned(platform: Platform, kinds: Iterable[str], identifiers: Iterable[str], failed: Failed) -> list[Work]:
    """What there is to do; nothing is changed."""
    return list(_over(platform, [(kind, KINDS[kind].plan) for kind in kinds], identifiers, failed))


def maintain(platform: Platform, kinds: Iterable[str], identifiers: Iterable[str], failed: Failed) -> Iterator[Work]:
    """Does it, and yields each piece as it is done."""
    return _over(platform, [(kind, KINDS[kind].do) for kind in kinds], identifiers, failed)


def _over(
    platform: Platform, steps: Iterable[tuple[str, Step]], identifiers: Iterable[str], failed: Failed
) -> Iterator[Work]:
    """A table that failed at one kind is not touched by the next."""
    wanted = list(identifiers)
    for kind, step in steps:
        for name in list(wanted):
            try:
                yield from step(platform, name)
            except Exception as error:
                wanted.remove(name)
                failed(f"{kind} {name}: {_said(error)}")


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, Mendable) else explained(error) or f"{type(error).__name__}: {error}"


def _plan_retention(platform: Platform, identifier: str) -> Iterator[Work]:
    yield from _retention(identifier, retention.plan(platform, identifier))


def _retain(platform: Platform, identifier: str) -> Iterator[Work]:
    yield from _retention(identifier, retention.retain(platform, identifier))


def _retention(identifier: str, done: retention.Dropped | None) -> Iterator[Work]:
    if done is not None:
        yield _work("retain", f"{done.rows} rows up to {done.through}", identifier, done)


def _plan_compaction(platform: Platform, identifier: str) -> Iterator[Work]:
    for group in compaction.plan(platform.open_catalog().load_table(identifier)):
        yield Work(identifier, "compact", group.partition, len(group.files), bytes_of(group.files), None, None)


def _compact(platform: Platform, identifier: str) -> Iterator[Work]:
    for done in _compacted(platform, identifier):
        what = done.partition if done.snapshot_id is not None else f"{done.partition}: replaced by another writer"
        yield _work("compact", what, identifier, done)


def _compacted(platform: Platform, identifier: str) -> Iterator[compaction.Compacted]:
    spark = spark_maintenance.session(platform, identifier)
    if spark is None:
        yield from compaction.compact(platform, identifier)
    elif done := spark_maintenance.compact(platform, identifier, spark(), spark_maintenance.z_order_of(identifier)):
        yield done


def _plan_expiry(platform: Platform, identifier: str) -> Iterator[Work]:
    yield from _expiry(identifier, expiry.plan(platform.open_catalog().load_table(identifier)))


def _expire(platform: Platform, identifier: str) -> Iterator[Work]:
    spark = spark_maintenance.session(platform, identifier)
    done = spark_maintenance.expire(platform, identifier, spark()) if spark else expiry.expire(platform, identifier)
    yield from _expiry(identifier, done)


def _expiry(identifier: str, done: expiry.Expired) -> Iterator[Work]:
    if done.snapshots:
        yield _work("expire", f"{done.snapshots} snapshots", identifier, done)


def _plan_orphans(platform: Platform, identifier: str) -> Iterator[Work]:
    yield from _orphans(identifier, orphans.plan(platform.open_catalog().load_table(identifier)))


def _remove_orphans(platform: Platform, identifier: str) -> Iterator[Work]:
    spark = spark_maintenance.session(platform, identifier)
    if spark is None:
        yield from _orphans(identifier, orphans.remove_orphans(platform, identifier))
    else:
        yield from _orphans(identifier, spark_maintenance.remove_orphans(platform, identifier, spark()))


def _orphans(identifier: str, done: orphans.Removed) -> Iterator[Work]:
    if done.files_after < done.files_before:
        yield _work("orphans", f"{done.files_before - done.files_after} files", identifier, done)


def _work(kind: str, what: str, identifier: str, done: _Counted) -> Work:
    return Work(identifier, kind, what, done.files_before, done.bytes_before, done.files_after, done.bytes_after)


KINDS: Mapping[str, Kind] = {
    "retain": Kind(_plan_retention, _retain, "Drop partitions that are older than is kept."),
    "compact": Kind(_plan_compaction, _compact, "Rewrite small files into few large, sorted ones."),
    "expire": Kind(_plan_expiry, _expire, "Forget old snapshots and delete the files that only they needed."),
    "orphans": Kind(_plan_orphans, _remove_orphans, "Delete files of more than a day that nothing names."),
}
