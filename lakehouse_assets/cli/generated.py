"""The files that are generated: the source databases' tables, the dbt source, dbt's manifest and lineage, the snapshot
of the asset graph.

Each is made from what comes before it, so that their order matters.
Where it stops: what they hold is rendered elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from lakehouse_assets.cli.session import load_definitions, open_platform
from lakehouse_assets.contracts.registry import sources as all_sources
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.connect.ddl import create_tables
from lakehouse_assets.operations import asset_graph
from lakehouse_assets.vault import manifest, sources

ROOT = manifest.PROJECT_DIR.parent
DBT_SOURCE = manifest.PROJECT_DIR / "models" / "silver.yml"
DBT_MADE = (manifest.PROJECT_DIR / manifest.MANIFEST, manifest.PROJECT_DIR / manifest.LINEAGE)
SERVERS = {"postgresql": "postgres", "mysql": "mysql"}
ASSET_GRAPH = ROOT / "tests" / "asset_graph.txt"


def rewrite() -> list[str]:
    """Writes all of them; their names. A dbt project that does not compile is exit code 1."""
    source_tables = _source_tables()
    for path, text in source_tables.items():
        path.write_text(text, "utf-8")
    DBT_SOURCE.write_text(sources.render(tables()), "utf-8")
    manifest.parse()
    ASSET_GRAPH.write_text(_asset_graph(), "utf-8")
    return [_name(path) for path in (*source_tables, DBT_SOURCE, *DBT_MADE, ASSET_GRAPH)]


def compare() -> list[str]:
    """The names of those that are missing or hold something else. What dbt makes is not committed: only missing."""
    missing = [_name(path) for path in DBT_MADE if not path.exists()]
    derived = {**_source_tables(), DBT_SOURCE: sources.render(tables())}
    stale = [_name(path) for path, text in derived.items() if not _holds(path, text)]
    if not missing and not _holds(ASSET_GRAPH, _asset_graph()):
        stale.append(_name(ASSET_GRAPH))
    return stale + missing


def _source_tables() -> dict[Path, str]:
    """What makes the tables of each source database of the stack, by the file that its server runs."""
    captured = [source for source in all_sources() if source.connector is not None]
    return {
        ROOT / f"deploy/{SERVERS[str(source.connector)]}/init/20-{source.name}.sql": create_tables(source, tables())
        for source in captured
    }


def _asset_graph() -> str:
    return asset_graph.render(load_definitions(open_platform()))


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))
