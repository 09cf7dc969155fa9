"""A REST catalog on loopback over a catalog that is given, which may answer another thing than what it did.

Facts: https://iceberg.apache.org/rest-catalog-spec/, "commit updates to a table".
Where it stops: tables are made and dropped in the catalog behind it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import CommitTableRequest, Table

REFUSED = 409

Commit = Callable[[], int]
"""Makes the commit that was asked for, and returns what is to be answered; 0 hangs up."""
Fate = Callable[[Commit], int]
"""What is answered instead."""


def behaves(commit: Commit) -> int:
    return commit()


def refuses_what_it_made(answer: int) -> Fate:
    def fate(commit: Commit) -> int:
        made = commit()
        assert made == 200
        return answer

    return fate


class _Server(HTTPServer):
    behind: Catalog
    fates: list[Fate]


class _Asked(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path.startswith("/v1/config"):
            return self._answer(200, json.dumps({"defaults": {}, "overrides": {}}))
        return self._answer(200, _told(self._table()))

    def do_POST(self) -> None:
        table = self._table()
        asked = CommitTableRequest.model_validate_json(self.rfile.read(int(self.headers["Content-Length"])))

        def commit() -> int:
            try:
                self.server.behind.commit_table(table, asked.requirements, asked.updates)
            except CommitFailedException:
                return REFUSED
            return 200

        fate = self.server.fates.pop(0) if self.server.fates else behaves
        answer = fate(commit)
        if answer == 200:
            self._answer(answer, _told(self._table()))
        elif answer:
            self._answer(answer, json.dumps({"error": {"message": "no", "type": "Error", "code": answer}}))

    def log_message(self, *_: object) -> None: ...

    def _table(self) -> Table:
        *_, namespace, _, name = self.path.split("/")
        return self.server.behind.load_table((namespace, name))

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


def _told(table: Table) -> str:
    metadata = json.loads(table.metadata.model_dump_json())
    return json.dumps({"metadata-location": table.metadata_location, "metadata": metadata, "config": {}})


@contextmanager
def rest_catalog(behind: Catalog, fates: list[Fate]) -> Iterator[RestCatalog]:
    """A client of it. Each commit takes the next of the fates; when there is none left it behaves."""
    with _Server(("127.0.0.1", 0), _Asked) as server:
        server.behind, server.fates = behind, fates
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield RestCatalog("lakehouse", uri=f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
