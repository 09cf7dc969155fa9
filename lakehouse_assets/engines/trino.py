"""What is asked of Trino before dbt runs on it: that it has started, and which catalogs it has.

Where it stops: models are dbt's; the client is Trino's own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from lakehouse_assets.engines.probe import StillStarting

_SECONDS = 10.0


class NoCatalog(LookupError):
    """Trino lacks a catalog; the message names those that it has."""


@dataclass(frozen=True)
class Trino:
    """A coordinator and a login; a password needs `https`. `ca` is a file of certificates."""

    host: str
    port: int
    user: str
    scheme: str = "http"
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None

    def version(self) -> str:
        """`Trino 476`. Raises StillStarting, and what the network says."""
        import requests

        url = f"{self.scheme}://{self.host}:{self.port}/v1/info"
        answer = requests.get(url, timeout=_SECONDS, verify=self._verify)
        if not answer.ok:
            raise ConnectionError(f"{url} answers {answer.status_code}: is it Trino?")
        told = answer.json()
        if told["starting"]:
            raise StillStarting(f"{self.host}:{self.port} is still starting")
        return f"Trino {told['nodeVersion']['version']}"

    def catalogs(self, wanted: Collection[str]) -> str:
        """Raises NoCatalog, and what Trino says of the login."""
        from trino.auth import BasicAuthentication
        from trino.dbapi import connect

        auth = BasicAuthentication(self.user, self.password) if self.password else None
        with connect(
            host=self.host,
            port=self.port,
            user=self.user,
            http_scheme=self.scheme,
            auth=auth,
            verify=self._verify,
            request_timeout=_SECONDS,
            max_attempts=1,
        ) as connection:
            held = {name for (name,) in connection.cursor().execute("SHOW CATALOGS").fetchall()}
        if missing := sorted(set(wanted) - held):
            raise NoCatalog(f"no catalog {', '.join(missing)}; there are {', '.join(sorted(held))}")
        return ", ".join(sorted(held))

    @property
    def _verify(self) -> bool | str:
        return str(self.ca) if self.ca else True
