"""What every command that touches data opens first: the profile's platform, the shared Dagster instance, the assets.

Where it stops: a setting that is wrong ends the command here, on one line.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakehouse_assets.cli.failure import BAD_INPUT, stop
from lakehouse_assets.engines.platform import Platform

if TYPE_CHECKING:
    import dagster as dg

    from lakehouse_assets.operations.connectors import Connectors


def open_platform() -> Platform:
    """The platform of the active profile. A wrong setting is exit code 2."""
    from lakehouse_assets.profiles.active import platform

    return platform()


def open_connectors() -> Connectors:
    """Connect and the databases of the settings. A wrong or missing setting is exit code 2."""
    from lakehouse_assets.engines.connect.client import ConnectClient
    from lakehouse_assets.operations.connectors import Connectors
    from lakehouse_assets.profiles.active import settings
    from lakehouse_assets.profiles.stack import kafka_settings

    known = settings()
    if known.profile != "stack" or known.connect_url is None:
        stop("connectors need LAKEHOUSE_PROFILE=stack and LAKEHOUSE_CONNECT_URL, Kafka Connect's address", BAD_INPUT)
    return Connectors(ConnectClient(known.connect_url), known.databases, kafka_settings(known))


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The instance that the command line shares with the UI.

    What steps print is not kept: Dagster would start a process for each, to watch over the files.
    """
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    from lakehouse_assets.cli.records import held_open
    from lakehouse_assets.profiles.active import instance_home

    folder = instance_home()
    logs = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    known = InstanceRef.from_dir(str(folder), overrides={"compute_logs": logs})
    with held_open(folder), dg.DagsterInstance.from_ref(known) as instance:
        yield instance


def load_definitions(platform: Platform) -> dg.Definitions:
    """The whole asset graph. A project that was never synced is exit code 1."""
    import dagster as dg

    # That Dagster may change what is used of it is of no use to who asked for a table.
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.simplefilter("ignore", category)
    from lakehouse_assets.definitions import build

    return build(platform)
