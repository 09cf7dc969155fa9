"""Kafka Connect 4.3.1 with Debezium's connectors (PostgreSQL 3.7.0, MariaDB 3.5.0) as `deploy/connect` says, driven
over its REST interface.

Where it stops: a connector's configuration is its user's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from . import maven
from .deployed import DEPLOY
from .kafka import java
from .server import Server, ServerError, wait_until

PLUGINS = {
    "debezium-postgres-3.7.0": (
        "io.debezium:debezium-connector-postgres:3.7.0.Final:tar.gz:plugin",
        "660673cbabd2f269da21409208ebd0f0d9977bd92e824fc9daa272f240e88e51",
    ),
    "debezium-mariadb-3.5.0": (
        "io.debezium:debezium-connector-mariadb:3.5.0.Final:tar.gz:plugin",
        "1ccab832edc5d1e667607361905e70689a308c9e5cb1561d79808084811e938f",
    ),
}


class Connect(Server):
    """One distributed worker; its offsets are in Kafka, written every 10 seconds: a killed one tells much again.

    `secrets` are variables of its own environment, where connectors look passwords up; `more` are files of `deploy/`
    that come after its own.
    """

    name = "Kafka Connect"

    def __init__(
        self, folder: Path, bootstrap: str, secrets: Mapping[str, str] | None = None, more: Sequence[str] = ()
    ) -> None:
        super().__init__(folder)
        self._bootstrap = bootstrap
        self._files = ["connect/connect-distributed.properties", *more]
        self._secrets = dict(secrets or {})

    def prepare(self) -> Sequence[str]:
        plugins = [str(maven.archive(name, *pinned)) for name, pinned in PLUGINS.items()]
        properties = self.folder / "connect.properties"
        properties.write_text(
            "".join((DEPLOY / file).read_text() for file in self._files)
            + f"bootstrap.servers={self._bootstrap}\nlisteners=http://127.0.0.1:{self.port}\n"
            f"rest.advertised.host.name=127.0.0.1\nplugin.path={','.join(plugins)}\n"
        )
        return java("768m", "org.apache.kafka.connect.cli.ConnectDistributed", str(properties))

    def environment(self) -> Mapping[str, str]:
        return self._secrets

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        return bool(self._ask("GET", "connectors").ok)

    def put(self, name: str, configuration: Mapping[str, str]) -> None:
        """Create a connector, or give it another configuration."""
        self._told("PUT", f"connectors/{name}/config", configuration)

    def configuration(self, name: str) -> dict[str, str]:
        return dict(self._ask("GET", f"connectors/{name}/config").json())

    def wait_until_running(self, name: str) -> None:
        wait_until(f"connector {name} runs", lambda: self.runs(name))

    def stop_connector(self, name: str) -> None:
        """Stop it and wait until it has let go of the database; its offsets can be changed then."""
        self._told("PUT", f"connectors/{name}/stop")
        wait_until(f"connector {name} stops", lambda: self._status(name)["connector"]["state"] == "STOPPED")

    def resume(self, name: str) -> None:
        self._told("PUT", f"connectors/{name}/resume")
        self.wait_until_running(name)

    def offsets(self, name: str) -> Any:
        """What is stored: where a restarted connector would go on."""
        return self._ask("GET", f"connectors/{name}/offsets").json()["offsets"]

    def forget_offsets(self, name: str) -> None:
        """Of a stopped connector: it starts from nothing when it is resumed."""
        self._told("DELETE", f"connectors/{name}/offsets")

    def restart_failed(self, name: str) -> None:
        """As whoever runs it does after an outage that Debezium does not take for one that passes."""
        self._told("POST", f"connectors/{name}/restart?includeTasks=true&onlyFailed=true")

    def delete(self, name: str) -> None:
        self._told("DELETE", f"connectors/{name}")

    def runs(self, name: str) -> bool:
        """Raises ServerError where it failed."""
        status = self._status(name)
        parts = [status["connector"], *status["tasks"]] if status else []
        if failed := [part["trace"] for part in parts if part["state"] == "FAILED"]:
            raise ServerError(f"connector {name} failed: {failed[0]}")
        return len(parts) > 1 and all(part["state"] == "RUNNING" for part in parts)

    def _status(self, name: str) -> Any:
        found = self._ask("GET", f"connectors/{name}/status")
        return found.json() if found.ok else None

    def _told(self, method: str, path: str, body: object = None) -> None:
        """While the worker rebalances it answers 409, and is asked again."""

        def ask() -> bool:
            answer = self._ask(method, path, body)
            if not answer.ok and answer.status_code != requests.codes.conflict:
                raise ServerError(f"Connect refused {method} {path}: {answer.text}")
            return bool(answer.ok)

        wait_until(f"Connect takes {method} {path}", ask)

    def _ask(self, method: str, path: str, body: object = None) -> requests.Response:
        return requests.request(method, f"{self.address}/{path}", json=body, timeout=30)
