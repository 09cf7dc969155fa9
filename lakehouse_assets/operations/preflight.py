"""Whether what a run needs can be used: the profile's own list of probes, and each source. As checks, and for the
command line.

A server that does not answer may be starting: it is asked again for a while. `lakehouse doctor` looks at the same list
at once. Where it stops: whether the data in them is right is each layer's own.
"""

from collections.abc import Collection, Iterator

import dagster as dg
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_exponential

from lakehouse_assets.bronze.assets import source_key
from lakehouse_assets.bronze.deliveries import deliveries
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.engines.probe import Finding, examine
from lakehouse_assets.mendable import Mendable
from lakehouse_assets.operations.outside import line

REACHABLE = "everything_needed_is_reachable"

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
_LIMIT_SECONDS = 75.0  # longer than the owner of an embedded ClickHouse may take to start


class Unreachable(Mendable):
    """One or more services cannot be used; one line each."""


def check(platform: Platform, wanted: Collection[dg.AssetKey] = ()) -> None:
    """Raises Unreachable naming every service that cannot be used, with its own error, and what is `wanted` of it."""
    problems = _problems(platform)
    if problems:
        raise Unreachable("\n".join([*problems, *_left_undone(wanted)]))


def reachable_checks(platform: Platform) -> dg.AssetChecksDefinition:
    """A blocking check per source: nothing is landed while what the run needs does not answer."""
    specs = [
        dg.AssetCheckSpec(
            REACHABLE, asset=source_key(t), blocking=True, description="The source and every service that a run needs."
        )
        for t in tables()
    ]

    @dg.multi_asset_check(name="check_reachable", specs=specs, can_subset=True)
    def check_reachable(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        shared = _problems(platform)
        for table in tables():
            key = dg.AssetCheckKey(source_key(table), REACHABLE)
            if key in context.selected_asset_check_keys:
                problems = shared or list(_of_source(platform, table))
                yield dg.AssetCheckResult(
                    passed=not problems,
                    asset_key=key.asset_key,
                    check_name=key.name,
                    metadata={"problems": problems},
                )

    return check_reachable


def _problems(platform: Platform) -> list[str]:
    """What keeps a run from beginning, after the platform's patience with what may pass."""
    needed = [probe for probe in platform.probes if probe.for_runs]
    asking = Retrying(
        retry=retry_if_result(_may_pass),
        wait=wait_exponential(_FIRST_WAIT, _LONGEST_WAIT),
        stop=stop_after_delay(platform.patience_seconds),
        retry_error_callback=_last,
    )
    found: list[Finding] = asking(examine, needed, _LIMIT_SECONDS)
    return [f"{f.service} cannot be used: {f.found}; {f.fix}" for f in found if f.ended == "failed"]


def _may_pass(found: list[Finding]) -> bool:
    """Whether something is wrong, and all that is may be right in a moment."""
    failed = [f for f in found if f.ended == "failed"]
    return bool(failed) and all(f.passing for f in failed)


def _last(state: RetryCallState) -> list[Finding]:
    found: list[Finding] = state.outcome.result() if state.outcome is not None else []
    return found


def _left_undone(wanted: Collection[dg.AssetKey]) -> Iterator[str]:
    if wanted:
        first = min(wanted).to_user_string()
        yield f"not run: {first}{f' and {len(wanted) - 1} more' if len(wanted) > 1 else ''}"


def _of_source(platform: Platform, table: Table) -> Iterator[str]:
    """A topic or folder that is not there yet is empty, not unreachable."""
    try:
        if table.source.kind == "files":
            deliveries(platform, table)
        else:
            platform.log.bounds(table.topic)
    except Exception as error:
        yield f"{table.topic} cannot be read: {line(str(error))}"
