"""The REST catalog of PyIceberg, which waits for a server that is being restarted.

A request that never reached the server is sent again, whatever it asks. One that may have reached it is sent again only
where it reads: whether a commit landed is looked up by its id (`commit.py`).
Where it stops: after about half a minute the error is the caller's.
"""

from __future__ import annotations

from pyiceberg.catalog.rest import RestCatalog
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import Retry

_CONNECTS, _READS = 8, 3
_LONGEST_PAUSE_SECONDS = 6.0


class PatientCatalog(RestCatalog):
    def _create_session(self) -> Session:
        session = super()._create_session()
        retries = Retry(
            total=None,
            connect=_CONNECTS,
            read=_READS,
            status=_CONNECTS,
            redirect=_READS,
            other=0,
            allowed_methods={"GET", "HEAD"},
            status_forcelist={502, 503, 504},
            backoff_factor=0.25,
            backoff_max=_LONGEST_PAUSE_SECONDS,
            raise_on_status=False,
        )
        session.mount(f"{self.uri}", HTTPAdapter(max_retries=retries))
        return session
