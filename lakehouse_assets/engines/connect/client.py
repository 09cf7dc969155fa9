"""Kafka Connect's REST interface, as far as connectors need it.

A worker that rebalances answers 409 and is asked again. Where it stops: what a connector is told is `configuration`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from lakehouse_assets.mendable import Mendable

_PATIENCE = 60.0
_TIMEOUT = 30


class ConnectError(Mendable):
    """Connect could not be reached or refused; one line with the address and what was asked."""


class _Rebalancing(ConnectError):
    pass


@dataclass(frozen=True)
class Part:
    """The connector itself or one of its tasks; `error` is the first line of its stack trace."""

    state: str
    error: str | None


@dataclass(frozen=True)
class ConnectClient:
    """`address` as `http://connect:8083`."""

    address: str

    def configuration(self, name: str) -> dict[str, str] | None:
        """What the connector was told, None where there is none. Passwords are in it as they were told."""
        told = self._ask("GET", f"connectors/{name}/config", absent_is_none=True)
        return None if told is None else {key: value for key, value in told.items() if key != "name"}

    def put(self, name: str, configuration: Mapping[str, str]) -> None:
        self._ask("PUT", f"connectors/{name}/config", dict(configuration))

    def parts(self, name: str) -> list[Part]:
        """The connector, then its tasks; empty where there is none."""
        told = self._ask("GET", f"connectors/{name}/status", absent_is_none=True)
        found = [told["connector"], *told["tasks"]] if told else []
        return [Part(part["state"], _first_line(part.get("trace"))) for part in found]

    def offsets(self, name: str) -> list[dict[str, Any]]:
        """Where it would go on, by partition of its source. Raises ConnectError."""
        told = self._ask("GET", f"connectors/{name}/offsets", absent_is_none=True)
        return list(told["offsets"]) if told else []

    def stop(self, name: str) -> None:
        """Returns when the connector and its tasks have let go of the database."""
        self._ask("PUT", f"connectors/{name}/stop")
        waiting = Retrying(
            stop=stop_after_delay(_PATIENCE),
            wait=wait_fixed(0.2),
            retry=retry_if_result(lambda parts: not _stopped(parts)),
        )
        try:
            waiting(self.parts, name)
        except RetryError:
            raise ConnectError(
                f"Kafka Connect at {self.address}: connector {name} did not stop in {_PATIENCE:.0f} s"
            ) from None

    def delete(self, name: str) -> None:
        """A stopped connector and its offsets: one of this name that is made later begins with a snapshot."""
        self._ask("DELETE", f"connectors/{name}/offsets")
        self._ask("DELETE", f"connectors/{name}")

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None, absent_is_none: bool = False) -> Any:
        patient = Retrying(
            stop=stop_after_delay(_PATIENCE),
            wait=wait_fixed(0.5),
            retry=retry_if_exception_type(_Rebalancing),
            reraise=True,
        )
        return patient(self._ask_once, method, path, body, absent_is_none)

    def _ask_once(self, method: str, path: str, body: dict[str, str] | None, absent_is_none: bool) -> Any:
        import requests

        try:
            answer = requests.request(method, f"{self.address.rstrip('/')}/{path}", json=body, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise ConnectError(f"Kafka Connect at {self.address} does not answer ({type(error).__name__})") from None
        if answer.ok:
            return answer.json() if answer.content else None
        if absent_is_none and answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        problem = _Rebalancing if answer.status_code == HTTPStatus.CONFLICT else ConnectError
        raise problem(f"Kafka Connect at {self.address} refused {method} {path}: {_message(answer)}")


def _message(answer: Any) -> str:
    try:
        return " ".join(str(answer.json()["message"]).split())
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)


def _stopped(parts: list[Part]) -> bool:
    return [part.state for part in parts] == ["STOPPED"]


def _first_line(trace: str | None) -> str | None:
    return trace.strip().splitlines()[0] if trace and trace.strip() else None
