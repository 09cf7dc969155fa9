"""The life of all cells' tables in one small lakehouse: landed, folded, modelled by dbt and published as they change.

`run` goes through the phases and writes down what every layer holds after each; the tests only read that.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.table import Source, Table
from lakehouse_assets.engines.clickhouse.client import stop
from lakehouse_assets.engines.clickhouse.ddl import gold_table
from lakehouse_assets.engines.clickhouse.publish import publish
from lakehouse_assets.engines.dbt.project import Project
from lakehouse_assets.engines.dbt.runner import invoke
from lakehouse_assets.engines.iceberg.commit import marks
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.tables import SchemaConflict, load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.profiles import embedded
from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.fold_current import fold_current
from lakehouse_assets.silver.rebuild import rebuild_changes
from lakehouse_assets.silver.undeclared import undeclared
from lakehouse_assets.sources.writer import append
from lakehouse_assets.vault import manifest, sources
from lakehouse_assets.vault.build import build
from tests.schema_evolution.cells import CELLS, FIRST_DAY, SOURCES, Cell

TOLD, FOLLOWED, REBUILT = 1, 2, 3
"""Phases: the source changed; the contract followed; every day was rebuilt. In phase 0 there is only silver."""
LAYERS = ("bronze", "changes", "current", "satellite", "history", "mart", "gold")
BY_KEY = ("current", "mart", "gold")
MISSING, NO_VERSION = "missing", "no version"

Values = dict[int, Any]
"""What a layer holds in the cell's column, by offset of the message that told it; MISSING where it has no such row, and
NO_VERSION in a history that collapsed it."""


@dataclass
class Life:
    """What was seen of one cell's table. `held` is by phase and layer; None where the layer has no such column.

    `snapshots` names, per table, a snapshot of the phase TOLD with the columns and rows that it had then. `hashes` are
    the satellite's by offset, `files` its data files.
    """

    cell: Cell
    source: Source
    held: dict[int, dict[str, Values | None]] = field(default_factory=lambda: defaultdict(dict))
    bronze: list[dict[str, Any]] = field(default_factory=list)
    undeclared: dict[int, dict[str, str]] = field(default_factory=dict)
    rejects: dict[int, list[str]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    moved_by_refusals: set[str] = field(default_factory=set)
    snapshots: dict[str, tuple[int, list[str], list[dict[str, Any]]]] = field(default_factory=dict)
    hashes: dict[int, dict[int, str]] = field(default_factory=dict)
    files: dict[int, set[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.source.name}_{self.cell.name}"

    @property
    def has_vault(self) -> bool:
        """Floating numbers cannot be hashed."""
        return self.cell.name != "widen_float"

    def column(self, phase: int) -> str | None:
        """The lake's name for the cell's column."""
        contract = self.cell.table(self.source, phase)
        names = [c.name for c in contract.columns[::-1] if c.name not in ("id", "name")] if contract else []
        return names[0] if names else self.cell.column[1] if phase >= TOLD else None


class Story:
    def __init__(self, home: Path) -> None:
        self.platform: Platform = embedded.platform(Settings(home=home / "home"))
        self.lives = {(c, cell.name): Life(cell, source) for c, source in SOURCES.items() for cell in CELLS}
        self._folder = home / "dbt_project"

    def run(self) -> None:
        for phase in (0, TOLD, FOLLOWED, REBUILT):
            for life in self.lives.values():
                self._tell(life, phase)
                # What two phases with one contract tell is folded together.
                if phase or life.cell.follows == TOLD:
                    self._fold(life, phase)
            if phase in (TOLD, FOLLOWED):
                project = self._project(phase)
            if phase >= TOLD:
                self._publish(project, phase)
                refused = self._rejects()
                for life in self.lives.values():
                    life.rejects[phase] = refused.get(life.id, [])
                    self._look(life, phase)

    def table(self, identifier: str) -> IcebergTable:
        return self.platform.open_catalog().load_table(identifier)

    def _tell(self, life: Life, phase: int) -> None:
        if phase < min(REBUILT, len(life.cell.values)):
            append(self.platform.home / "events", _from_zero(life.cell.messages(life.source, phase)))

    def _fold(self, life: Life, phase: int) -> None:
        if phase == FOLLOWED:
            self._refuse(life)
        contract = life.cell.table(life.source, phase)
        if contract is None:
            return
        if phase == REBUILT:
            rebuild_changes(self.platform, contract, FIRST_DAY, FIRST_DAY + timedelta(days=2))
        else:
            land(self.platform, contract)
            fold_changes(self.platform, contract)
        fold_current(self.platform, contract)

    def _refuse(self, life: Life) -> None:
        names = (f"silver.{life.id}_changes", f"silver.{life.id}")
        for contract in life.cell.attempts(life.source):
            before = [self.table(name).metadata_location for name in names]
            for fold in (fold_changes, fold_current):
                try:
                    fold(self.platform, contract)
                except SchemaConflict as refused:
                    life.refusals.append(str(refused))
            life.moved_by_refusals |= {
                n for n, b in zip(names, before, strict=True) if self.table(n).metadata_location != b
            }

    def _project(self, phase: int) -> Project:
        """A dbt project of a satellite, its history and a mart per table, with the project's own macros."""
        shutil.rmtree(self._folder, ignore_errors=True)
        own = ("models", "target", "logs", "tests")
        shutil.copytree(manifest.PROJECT_DIR, self._folder, ignore=shutil.ignore_patterns(*own))
        models = self._folder / "models"
        contracts = [(life, t) for life in self.lives.values() if (t := life.cell.table(life.source, phase))]
        for life, contract in contracts:
            for path, code in _models(life, contract).items():
                (models / path).parent.mkdir(parents=True, exist_ok=True)
                (models / path).write_text(code)
        (models / "silver.yml").write_text(sources.render(t for _, t in contracts))
        return self._compiled()

    def with_mart(self, life: Life, sql: str) -> Project:
        """The last project with other SQL of one mart."""
        (self._folder / "models" / "marts" / f"{life.id}.sql").write_text(sql)
        return self._compiled()

    def _compiled(self) -> Project:
        ended = invoke(self._folder, self._folder, "embedded", ["compile", "--no-introspect"])
        assert ended.exception is None
        return manifest.project(self._folder)

    def _publish(self, project: Project, phase: int) -> None:
        for _ in build(self.platform, project, list(project.models.values())):
            pass
        for life in self.lives.values():
            mart = load(self.platform.open_catalog(), f"marts.{life.id}")
            if mart is not None and life.cell.table(life.source, phase):
                target = gold_table(life.id, {"order_by": ["id"]})
                publish(self.platform.open_clickhouse(), mart, target, home=self.platform.home)

    def _look(self, life: Life, phase: int) -> None:
        changes = load(self.platform.open_catalog(), f"silver.{life.id}_changes")
        if changes is None:
            life.held[phase] = dict.fromkeys(LAYERS)
            return
        rows = self._rows(life)
        life.bronze = [json.loads(r["data"]) for r in sorted(rows["bronze"], key=lambda r: int(r["offset"]))]
        offsets = {r["change_position"]: r["offset"] for r in rows["changes"]}
        column = life.column(phase)
        for layer in LAYERS[1:]:
            found = rows[layer]
            if found is None or column not in found[0]:
                life.held[phase][layer] = None
            elif layer in BY_KEY:
                last = {key: n for n, (_, key, _) in enumerate(self._told(life, phase))}
                by_key = {r["id"]: r[column] for r in found}
                life.held[phase][layer] = {n: by_key.get(key, MISSING) for key, n in last.items()}
            else:
                by_offset = {offsets[r["change_position"]]: r[column] for r in found}
                absent = NO_VERSION if layer == "history" else MISSING
                life.held[phase][layer] = {n: by_offset.get(n, absent) for n in range(len(self._told(life, phase)))}
        life.undeclared[phase] = undeclared(life.cell.table(life.source, phase) or _any(life), marks(changes))
        life.hashes[phase] = {offsets[r["change_position"]]: r["hashdiff"] for r in rows["satellite"] or ()}
        satellite = load(self.platform.open_catalog(), f"raw_vault.s_{life.id}")
        life.files[phase] = {f.file_path for f in data_files(satellite)} if satellite else set()
        if phase == TOLD:
            self._remember(life)

    def _told(self, life: Life, phase: int) -> list[tuple[int, int, Any]]:
        return [t for t in life.cell.truth if t[0] <= phase]

    def _rows(self, life: Life) -> dict[str, Any]:
        identifiers = {
            "bronze": f"bronze.{life.id}",
            "changes": f"silver.{life.id}_changes",
            "current": f"silver.{life.id}",
            "satellite": f"raw_vault.s_{life.id}",
            "history": f"business_vault.s_{life.id}_history",
            "mart": f"marts.{life.id}",
        }
        tables = {layer: load(self.platform.open_catalog(), i) for layer, i in identifiers.items()}
        found = {layer: t.scan().to_arrow().to_pylist() if t else None for layer, t in tables.items()}
        if found["mart"]:
            result = self.platform.open_clickhouse().query(f"select * from gold.`{life.id}`")
            found["gold"] = [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]
        return {layer: found.get(layer) for layer in LAYERS}

    def _rejects(self) -> dict[str, list[str]]:
        """Offset and reason of every reject, by table."""
        rejects = load(self.platform.open_catalog(), schema.REJECTS)
        found: dict[str, list[str]] = defaultdict(list)
        for row in rejects.scan().to_arrow().to_pylist() if rejects else ():
            found[row["table"]].append(f"{row['offset']}: {row['reason']}")
        return found

    def _remember(self, life: Life) -> None:
        for identifier in (f"silver.{life.id}_changes", f"silver.{life.id}", f"raw_vault.s_{life.id}"):
            table = load(self.platform.open_catalog(), identifier)
            snapshot = table.current_snapshot() if table else None
            if table and snapshot:
                rows = table.scan().to_arrow()
                life.snapshots[identifier] = (snapshot.snapshot_id, rows.schema.names, rows.to_pylist())


def _any(life: Life) -> Table:
    return next(t for phase in (0, FOLLOWED) if (t := life.cell.table(life.source, phase)))


def _from_zero(messages: Iterator[Any]) -> list[Any]:
    """At the distance that `append` counts from the end of the log."""
    listed = list(messages)
    return [m._replace(offset=n) for n, m in enumerate(listed)]


def _models(life: Life, contract: Table) -> Mapping[str, str]:
    """By path. The mart names its columns, as marts do."""
    name, changes = life.id, f"source('silver', '{life.id}_changes')"
    columns = ", ".join(c.name for c in contract.columns)
    mart = {f"marts/{name}.sql": f"select {columns} from {{{{ source('silver', '{name}') }}}}\n"}
    if not life.has_vault:
        return mart
    config = "{{ config(unique_key=%s) }}\n\n"
    satellite = f"{{{{ satellite(changes={changes}, hash_key='{name}_hk') }}}}\n"
    history = f"{{{{ history(satellite=ref('s_{name}'), changes={changes}, hash_key='{name}_hk') }}}}\n"
    return mart | {
        f"raw_vault/satellites/s_{name}.sql": config % f"['{name}_hk', 'change_position']" + satellite,
        f"business_vault/s_{name}_history.sql": config % f"'{name}_hk'" + history,
    }


@contextmanager
def told(home: Path) -> Iterator[Story]:
    """The whole story, in a folder of its own."""
    story = Story(home)
    try:
        story.run()
        yield story
    finally:
        stop(story.platform.home)
        story.platform.open_catalog().close()
