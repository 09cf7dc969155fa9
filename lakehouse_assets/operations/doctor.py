"""Everything that the lakehouse stands on, looked at at once: the profile's services, Dagster's home, the packages.

Where it stops: it mends nothing; a run looks at the services that it needs by `preflight`, from the same list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version

import dagster as dg
from packaging.requirements import Requirement

from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.engines.probe import LIMIT_SECONDS, Finding, Probe, examine

DISTRIBUTION = "lakehouse-assets"
_INSTALL = "install them again: `make install`, and the extra `stack` for that profile"
EXTRAS = {"embedded": ("",), "stack": ("", "stack")}


class WrongPackages(RuntimeError):
    """Packages that are missing or of another version than this project was tested with; the message names each."""


def diagnose(
    platform: Platform, open_instance: Callable[[], dg.DagsterInstance], limit_seconds: float = LIMIT_SECONDS
) -> list[Finding]:
    """A finding per probe, in the order of the services; each is looked at for at most `limit_seconds`."""
    own = (
        Probe("Dagster", "home_opens", lambda: _runs(open_instance), "move dagster/ in LAKEHOUSE_HOME out of the way"),
        Probe(
            "packages",
            "are_those_required",
            lambda: packages(platform.name),
            _INSTALL,
        ),
    )
    return examine((*platform.probes, *own), limit_seconds)


def packages(profile: str) -> str:
    """Raises WrongPackages."""
    wanted = [Requirement(text) for text in requires(DISTRIBUTION) or ()]
    of_profile = [r for r in wanted if _applies(r, profile)]
    if wrong := [problem for r in of_profile for problem in _problems(r)]:
        raise WrongPackages("; ".join(wrong))
    return f"{len(of_profile)} packages"


def _applies(requirement: Requirement, profile: str) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in EXTRAS[profile])


def _problems(requirement: Requirement) -> Iterator[str]:
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        yield f"{requirement.name} is not installed"
        return
    if not requirement.specifier.contains(installed, prereleases=True):
        yield f"{requirement.name} {installed} is installed, {requirement.specifier} is required"


def _runs(open_instance: Callable[[], dg.DagsterInstance]) -> str:
    with open_instance() as instance:
        return f"{instance.get_runs_count()} runs"
