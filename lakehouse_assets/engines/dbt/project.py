"""The dbt project as the engine needs it: each model with its table, strategy, parents and tests.

Read from the manifest that `lakehouse sync` writes. Where it stops: no dbt code is loaded here, no SQL is looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, cast

import orjson

from lakehouse_assets.mendable import Mendable

Strategy = Literal["insert", "replace", "days", "full"]
Outcome = Literal["success", "pass", "warn", "fail", "error", "skipped"]
"""What dbt says of a model or test that it ended with."""

STRATEGIES = ("insert", "replace", "days", "full")


class NotSynced(Mendable):
    """There is no manifest yet; the message says how to make it."""


class InvalidModel(Mendable):
    """A model's configuration contradicts itself; the message names the model."""


class UnknownModel(LookupError):
    """A name that no model has; the message names the valid ones."""


@dataclass(frozen=True)
class Model:
    """`identifier` and `parents` are Iceberg names (`raw_vault.h_users`); `columns` gives descriptions by name.

    `natural_key` are columns that follow from the unique key and prune better; `day_column` dates a row; `code` changes
    with the model's compiled SQL; `tests` are dbt's own names; `renamed` gives a source column's name by earlier ones.
    """

    unique_id: str
    name: str
    identifier: str
    description: str
    strategy: Strategy
    unique_key: tuple[str, ...]
    natural_key: tuple[str, ...]
    day_column: str | None
    parents: tuple[str, ...]
    columns: Mapping[str, str]
    code: str
    tests: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise InvalidModel(f"{self.identifier}: strategy {self.strategy!r} is not one of {', '.join(STRATEGIES)}")
        if self.strategy in ("insert", "replace") and not self.unique_key:
            raise InvalidModel(f"{self.identifier}: strategy {self.strategy} needs a unique_key")
        if self.strategy == "days" and self.day_column is None:
            raise InvalidModel(f"{self.identifier}: strategy days needs a day_column")


@dataclass(frozen=True)
class Test:
    unique_id: str
    name: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Project:
    """`folder` holds dbt_project.yml, `path` is the manifest."""

    folder: Path
    path: Path
    manifest: Mapping[str, Any]

    @cached_property
    def models(self) -> Mapping[str, Model]:
        """By identifier, each after its parents."""
        nodes = [n for n in self.manifest["nodes"].values() if n["resource_type"] == "model"]
        unsorted = {identifier_of(node): self._model(node) for node in nodes}
        return {name: unsorted[name] for name in _in_order({k: m.parents for k, m in unsorted.items()})}

    @cached_property
    def tests(self) -> Mapping[str, Test]:
        """By dbt's unique id."""
        nodes = [n for n in self.manifest["nodes"].values() if n["resource_type"] == "test"]
        return {n["unique_id"]: Test(n["unique_id"], n["name"], self._parents(n)) for n in nodes}

    def model(self, name: str) -> Model:
        """The model of `h_users` or `raw_vault.h_users`. Raises UnknownModel."""
        for model in self.models.values():
            if name in (model.name, model.identifier):
                return model
        raise UnknownModel(f"no model {name!r}; there are {', '.join(m.name for m in self.models.values())}")

    def _model(self, node: Mapping[str, Any]) -> Model:
        config = node["config"]
        return Model(
            unique_id=node["unique_id"],
            name=node["name"],
            identifier=identifier_of(node),
            description=node["description"],
            strategy=config.get("strategy", "full"),
            unique_key=_names(config.get("unique_key")),
            natural_key=_names(config.get("natural_key")),
            day_column=config.get("day_column"),
            parents=self._parents(node),
            columns=self._descriptions(node),
            code=_code(node),
            tests=tuple(sorted(self._attached_tests[node["unique_id"]])),
            renamed=self._renamed(node),
        )

    @cached_property
    def _attached_tests(self) -> Mapping[str, list[str]]:
        attached: dict[str, list[str]] = {uid: [] for uid in self.manifest["nodes"]}
        for node in self.manifest["nodes"].values():
            if node["resource_type"] == "test":
                owner = node.get("attached_node") or _checked_by(node)
                attached[owner or node["unique_id"]].append(node["unique_id"])
        return attached

    def _parents(self, node: Mapping[str, Any]) -> tuple[str, ...]:
        known = {**self.manifest["nodes"], **self.manifest["sources"]}
        return tuple(dict.fromkeys(identifier_of(known[p]) for p in node["depends_on"]["nodes"]))

    def _renamed(self, node: Mapping[str, Any]) -> dict[str, str]:
        """Of the sources that the model reads itself."""
        sources = (self.manifest["sources"].get(parent) for parent in node["depends_on"]["nodes"])
        columns = [c for source in sources if source is not None for c in source["columns"].values()]
        return {old: c["name"] for c in columns for old in c["meta"].get("renamed_from", ())}

    def _descriptions(self, node: Mapping[str, Any]) -> dict[str, str]:
        """The model's own; for a column that keeps its parent's name and is not described, the parent's."""
        known = {**self.manifest["nodes"], **self.manifest["sources"]}
        inherited: dict[str, str] = {}
        for parent in node["depends_on"]["nodes"]:
            inherited.update({c["name"]: c["description"] for c in known[parent]["columns"].values()})
        own = {c["name"]: c["description"] for c in node["columns"].values() if c["description"]}
        return {**inherited, **own}


def load(folder: Path, manifest: Path) -> Project:
    """The project as of the manifest's last sync. Raises NotSynced."""
    if not manifest.exists():
        raise NotSynced(f"{manifest} is missing: run `lakehouse sync`")
    return _read(folder, manifest, manifest.stat().st_mtime_ns)


@cache
def _read(folder: Path, manifest: Path, _version: int) -> Project:
    return Project(folder, manifest, orjson.loads(manifest.read_bytes()))


def identifier_of(node: Mapping[str, Any]) -> str:
    """`raw_vault.h_users` of a model's or source's node."""
    return f"{node['schema']}.{node.get('identifier') or node.get('alias') or node['name']}"


def _names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(cast("list[str]", value))


def _code(node: Mapping[str, Any]) -> str:
    """A macro that changed changes the compiled SQL, not the model's file."""
    compiled = node.get("compiled_code")
    return hashlib.sha256(compiled.encode()).hexdigest() if compiled else str(node["checksum"]["checksum"])


def _checked_by(test: Mapping[str, Any]) -> str | None:
    """The model that a test over several models is a check of: the first that it names."""
    models = [n for n in test["depends_on"]["nodes"] if n.startswith("model.")]
    return models[0] if models else None


def _in_order(parents: Mapping[str, Iterable[str]]) -> list[str]:
    ordered: list[str] = []
    waiting = dict(sorted(parents.items()))
    while waiting:
        ready = [name for name, needs in waiting.items() if not any(n in waiting for n in needs)]
        if not ready:
            raise InvalidModel(f"models depend on each other: {', '.join(waiting)}")
        ordered += ready
        for name in ready:
            del waiting[name]
    return ordered
