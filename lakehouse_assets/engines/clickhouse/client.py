"""A clickhouse-connect client of the embedded engine, whose owner is started when it is not there.

Where it stops: the `stack` profile connects to its server by itself; everything beyond `connect` is clickhouse-connect.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import clickhouse_connect
import urllib3
from clickhouse_connect.driver.client import Client
from filelock import FileLock
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lakehouse_assets.engines.clickhouse import endpoint
from lakehouse_assets.engines.clickhouse.endpoint import HOST, Endpoint
from lakehouse_assets.engines.clickhouse.owner import DRAIN_SECONDS, IDLE_SECONDS
from lakehouse_assets.mendable import Mendable

START_SECONDS = DRAIN_SECONDS + 30
_POLL_SECONDS = 0.05
_START_AGAIN_AFTER = 40  # polls: an owner that was just ending refuses the first one that we start


class NoOwner(Mendable):
    """The owner of the engine neither runs nor could be started; its log says more."""


def connect(home: Path, *, read_only: bool = False, idle_seconds: float = IDLE_SECONDS) -> Client:
    """A client of the lakehouse at `home`; it survives an owner that ended. Raises NoOwner.

    Read-only means the user `reader`: one SELECT at a time over gold and realtime. `idle_seconds` is how long an owner
    that has to be started stays without requests.
    """
    home = home.resolve()
    pool = _OwnerPool(home, read_only, idle_seconds)
    user, password = pool.endpoint.credentials(read_only)
    return clickhouse_connect.get_client(
        host=HOST,
        port=pool.endpoint.port,
        username=user,
        password=password,
        pool_mgr=pool,
        compress=False,
        autogenerate_session_id=False,
        tz_source="server",
    )


def running(home: Path, idle_seconds: float = IDLE_SECONDS) -> Endpoint:
    """Where the owner listens; it is started when nobody answers. Raises NoOwner."""

    def start_when_due(state: RetryCallState) -> None:
        if state.attempt_number % _START_AGAIN_AFTER == 1:
            _start(home, idle_seconds)

    poll = Retrying(
        retry=retry_if_exception_type(NoOwner),
        wait=wait_fixed(_POLL_SECONDS),
        stop=stop_after_delay(START_SECONDS),
        after=start_when_due,
        reraise=True,
    )
    return poll(_answering, home)


def stop(home: Path) -> None:
    """Ends the owner after the requests that it has under way, and returns when the engine is free."""
    home = home.resolve()
    known = endpoint.read(home)
    if known is None or not endpoint.lock_file(home).exists():
        return
    user, password = known.credentials(read_only=False)
    headers = urllib3.make_headers(basic_auth=f"{user}:{password}")
    try:
        urllib3.PoolManager(retries=False).request("POST", f"{known.url}/stop", headers=headers, timeout=5)
    except urllib3.exceptions.HTTPError:
        endpoint.remove(home)  # it was killed
        return
    with FileLock(endpoint.lock_file(home)).acquire(timeout=START_SECONDS):
        return


class _OwnerPool(urllib3.PoolManager):
    """Sends each request to the owner of the moment: one that ended when idle is started again.

    Only a request that no owner took is sent twice.
    """

    def __init__(self, home: Path, read_only: bool, idle_seconds: float) -> None:
        super().__init__()
        self._home, self._read_only, self._idle_seconds = home, read_only, idle_seconds
        self.endpoint = self._first = running(home, idle_seconds)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> urllib3.BaseHTTPResponse:
        try:
            response = super().request(method, self._directed(url, kwargs), *args, **kwargs)
            if response.status != 503:
                return response
        except urllib3.exceptions.MaxRetryError as error:
            if not isinstance(error.reason, urllib3.exceptions.NewConnectionError):
                raise
        self.endpoint = running(self._home, self._idle_seconds)
        return super().request(method, self._directed(url, kwargs), *args, **kwargs)

    def _directed(self, url: str, kwargs: dict[str, Any]) -> str:
        user, password = self.endpoint.credentials(self._read_only)
        authorization = urllib3.make_headers(basic_auth=f"{user}:{password}")["authorization"]
        kwargs["headers"] = {**(kwargs.get("headers") or {}), "Authorization": authorization}
        return self.endpoint.url + url.removeprefix(self._first.url)


def _answering(home: Path) -> Endpoint:
    known = endpoint.read(home)
    if known is None:
        raise NoOwner(f"no owner of {endpoint.folder(home)} could be started; see owner.log there")
    try:
        answer = urllib3.PoolManager(retries=False).request("GET", f"{known.url}/ping", timeout=5)
    except urllib3.exceptions.HTTPError as error:
        raise NoOwner(f"the owner of {endpoint.folder(home)} does not answer; see owner.log there") from error
    if answer.status != 200:
        raise NoOwner(f"the owner of {endpoint.folder(home)} is ending")
    return known


def _start(home: Path, idle_seconds: float) -> None:
    folder = endpoint.folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / "owner.log"
    log.touch(mode=0o600)
    command = [sys.executable, "-m", "lakehouse_assets.engines.clickhouse.owner", str(home), "--detach"]
    with log.open("ab") as output:
        ended = subprocess.run(  # noqa: S603 - our own module, with arguments that are not a shell's
            [*command, "--idle-seconds", str(idle_seconds)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if ended.returncode:
        raise NoOwner(f"the owner of {folder} ended with {ended.returncode} as it started; see owner.log there")
