"""The REST catalog of PyIceberg, which waits for a server that is being restarted.

A request that never reached the server is sent again, whatever it asks. One that may have reached it is sent again only
where it reads: whether a commit landed is looked up by its id (`commit.py`).
Where it stops: after its patience, at most about half a minute, the error is the caller's.
"""

from __future__ import annotations

from pyiceberg.catalog.rest import RestCatalog
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import Retry

PATIENCE = "patience-seconds"
"""The catalog's property: how long it waits in all."""

_READS = 3
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 6.0
_LONGEST_PATIENCE_SECONDS = 26.0


class PatientCatalog(RestCatalog):
    def _create_session(self) -> Session:
        session = super()._create_session()
        connects = attempts(float(self.properties.get(PATIENCE, _LONGEST_PATIENCE_SECONDS)))
        retries = Retry(
            total=None,
            connect=connects,
            read=min(_READS, connects),
            status=connects,
            redirect=_READS,
            other=0,
            allowed_methods={"GET", "HEAD"},
            status_forcelist={502, 503, 504},
            backoff_factor=_FIRST_PAUSE_SECONDS / 2,
            backoff_max=_LONGEST_PAUSE_SECONDS,
            raise_on_status=False,
        )
        session.mount(f"{self.uri}", HTTPAdapter(max_retries=retries))
        return session


def attempts(patience: float) -> int:
    """How often a request is sent again so that the pauses between add up to no more than `patience` seconds."""
    again, paused = 1, _FIRST_PAUSE_SECONDS
    while paused <= min(patience, _LONGEST_PATIENCE_SECONDS):
        again += 1
        paused += min(_FIRST_PAUSE_SECONDS * 2 ** (again - 1), _LONGEST_PAUSE_SECONDS)
    return again
