"""A server as a plain process: on a free port, waited for until it answers, stopped or killed with all its children.

It dies with us, also when we are killed. Where it stops: what is run, and what an answer is, each server says itself.
"""

from __future__ import annotations

import operator
import os
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

T = TypeVar("T")


class ServerError(RuntimeError):
    """A server did not do what was asked; the message ends with what it wrote last."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(what: str, ask: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true answer. Raises TimeoutError."""
    asking = Retrying(stop=stop_after_delay(seconds), wait=wait_fixed(0.1), retry=retry_if_result(operator.not_))
    try:
        return asking(ask)
    except RetryError:
        raise TimeoutError(f"{what}: not within {seconds:.0f} seconds") from None


class Server(ABC):
    """`folder` holds configuration, data and `log`, which a restart appends to; the port stays over restarts."""

    name: str
    user: str | None = None
    """Whom it runs as where we are root; None is root too."""
    patience = 90.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> Sequence[str]:
        """Install, write what is not there yet, and return the command."""

    def environment(self) -> Mapping[str, str]:
        """What it is told beside our own environment; asked after `prepare`."""
        return {}

    @abstractmethod
    def answers(self) -> bool:
        """Whether it can be used; may raise what a client raises."""

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["setpriv", "--pdeathsig", "KILL", *self._as_user(), *self.prepare()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(f"{self.name} starts", self._has_started, self.patience)
        except TimeoutError as error:
            self.kill()
            raise ServerError(f"{error}\n{self.tail()}") from None
        return self

    def is_up(self) -> bool:
        try:
            return self.answers()
        except Exception:
            return False  # while it is not up, each client fails in its own way

    def stop(self) -> None:
        """Asks it to end, and kills what is left after a while."""
        self._end(signal.SIGTERM, 20.0)

    def kill(self) -> None:
        self._end(signal.SIGKILL, 20.0)

    def tail(self, lines: int = 40) -> str:
        """The last lines of the log."""
        written = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"{self.log}:", *written[-lines:]])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _as_user(self) -> list[str]:
        if self.user is None or os.geteuid() != 0:
            return []
        return [f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]

    def _has_started(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise ServerError(f"{self.name} ended while it started\n{self.tail()}")
        return self.is_up()

    def _end(self, how: signal.Signals, seconds: float) -> None:
        if self._process is None:
            return
        group = self._process.pid
        with suppress(ProcessLookupError):
            os.killpg(group, how)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self._process.wait()
        self._process = None
