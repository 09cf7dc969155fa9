"""Claims about the project as a whole: its files agree with each other and keep the house style."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lakehouse_assets"
LONGEST_MODULE = 300
FORBIDDEN_MODULE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:home|root|Users|work)/[\w.]+")


def _tracked(*patterns: str) -> list[Path]:
    """The files that git tracks or would: what is ignored is left out. Skips the test outside a checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    return [ROOT / name for name in sorted(listed.stdout.split("\0")) if name and (ROOT / name).is_file()]


def _make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def pinned() -> dict[str, str]:
    """Version by canonical name, from constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): pin for name, pin in pairs}


def _declared(project: dict[str, Any]) -> list[Requirement]:
    table = project["project"]
    extras = [r for group in table["optional-dependencies"].values() for r in group]
    return [Requirement(r) for r in table["dependencies"] + extras]


def test_constraints_pin_every_dependency(project: dict[str, Any], pinned: dict[str, str]) -> None:
    declared = _declared(project)
    assert [r.name for r in declared if canonicalize_name(r.name) not in pinned] == []
    assert [str(r) for r in declared if not r.specifier.contains(pinned[canonicalize_name(r.name)])] == []


def test_constraints_hold_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def test_the_environment_is_the_pinned_one(pinned: dict[str, str]) -> None:
    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    found = {name: installed(name) for name in pinned}
    assert {name: v for name, v in found.items() if v is not None and v != pinned[name]} == {}


def test_workspace_and_make_agree_on_the_code_location() -> None:
    [location] = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    module = location["python_module"]
    assert module["location_name"] == "lakehouse"
    assert find_spec(module["module_name"]) is not None
    assert "dagster dev -w workspace.yaml" in (ROOT / "Makefile").read_text()


def test_no_tool_block_of_dagster_hides_the_workspace(project: dict[str, Any]) -> None:
    assert project["tool"].keys() & {"dagster", "dg"} == set()


def test_make_help_lists_every_target() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    targets = {target for line in phony for target in line.split()}
    listed = {line.split()[0] for line in _make("help").splitlines() if line.strip()}
    assert listed == targets
    assert targets >= {"help", "demo", "dev", "test", "check", "sync", "clean"}


def test_make_clean_touches_nothing_that_is_not_the_projects(tmp_path: Path) -> None:
    for name in ("catalog.db", "mine.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "warehouse" / "bronze").mkdir(parents=True)
    home = f"LAKEHOUSE_HOME={tmp_path}"

    assert "would remove" in _make("clean", home, "DRY_RUN=1")
    assert {p.name for p in tmp_path.iterdir()} == {"catalog.db", "mine.txt", "warehouse"}

    _make("clean", home)
    assert {p.name for p in tmp_path.iterdir()} == {"mine.txt"}


def test_no_module_is_over_300_lines() -> None:
    lengths = {p.relative_to(ROOT): len(p.read_text().splitlines()) for p in _tracked("*.py")}
    assert {str(p): n for p, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {part for p in _tracked("*.py") for part in p.relative_to(ROOT).with_suffix("").parts}
    assert named & FORBIDDEN_MODULE_NAMES == set()


def test_every_module_says_what_it_is_for() -> None:
    modules = [p for p in _tracked("lakehouse_assets/**.py") if p.read_text().strip()]
    assert [str(p.relative_to(ROOT)) for p in modules if ast.get_docstring(ast.parse(p.read_text())) is None] == []


def _environment_reads(tree: ast.AST) -> Iterator[int]:
    """The lines that read it; `os.environ[...] = ...` in a process of one's own is a write."""
    names = {"environ", "environb", "getenv"}
    written = {n.value for n in ast.walk(tree) if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node not in written and ast.unparse(node) in {f"os.{n}" for n in names}:
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "os" and {a.name for a in node.names} & names:
            yield node.lineno


def test_only_the_active_profile_reads_the_environment() -> None:
    readers = {
        str(path.relative_to(PACKAGE))
        for path in _tracked("lakehouse_assets/**.py")
        if list(_environment_reads(ast.parse(path.read_text())))
    }
    assert readers <= {"profiles/active.py"}


def test_every_document_link_resolves() -> None:
    broken = []
    for document in _tracked("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            linked = document.parent / path if path else document
            if not linked.exists() or (anchor and anchor not in _anchors(linked)):
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert broken == []


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_for_agents_is_under_100_lines() -> None:
    assert len((ROOT / "AGENTS.md").read_text().splitlines()) < 100


def _guarantees() -> dict[str, set[str]]:
    """The tests that the page of guarantees names, by claim."""
    rows = re.findall(r"^\| (.+?) \|(.*)\|$", (ROOT / "docs" / "guarantees.md").read_text(), re.M)
    return {claim: set(re.findall(r"`(test_\w+)`", shown)) for claim, shown in rows if claim != "Claim"}


def test_every_guarantee_is_shown_by_tests_that_exist() -> None:
    tests = {name for path in _tracked("tests/**.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    guarantees = _guarantees()
    assert len(guarantees) > 10
    assert [claim for claim, named in guarantees.items() if not named] == []
    assert {claim: named - tests for claim, named in guarantees.items() if named - tests} == {}


def test_decisions_are_numbered_without_a_hole() -> None:
    numbers = [int(p.name[:3]) for p in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_tracked_file_names_a_machine_path() -> None:
    found = []
    for path in _tracked():
        if path == Path(__file__).resolve():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in MACHINE_PATH.finditer(text)]
    assert found == []
