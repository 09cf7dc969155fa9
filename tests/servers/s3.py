"""versitygw 1.8.0, an S3 server over a folder: signatures checked, multipart, conditional writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pyarrow.fs import FileType, S3FileSystem

from . import golang
from .deployed import variables
from .server import Server

_MODULE = "github.com/versity/versitygw"
_VERSION = "v1.8.0"
_CHECKSUM = "h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc="


class S3(Server):
    """One account, which may everything; `buckets` are there from the start, each a folder."""

    name = "S3"
    access_key = "lakehouse"
    secret_key = "lakehouse-secret"

    def __init__(self, folder: Path, buckets: Sequence[str] = ("lake", "files")) -> None:
        super().__init__(folder)
        self._root = folder / "buckets"
        self._buckets = buckets

    @property
    def region(self) -> str:
        return variables("s3/s3.env")["VGW_REGION"]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> Sequence[str]:
        for bucket in self._buckets:
            (self._root / bucket).mkdir(parents=True, exist_ok=True)
        versitygw = golang.built("versitygw", f"{_MODULE}/cmd/versitygw", _MODULE, _VERSION, _CHECKSUM)
        return [str(versitygw), variables("s3/s3.env")["VGW_BACKEND"], str(self._root)]

    def environment(self) -> Mapping[str, str]:
        return {
            **variables("s3/s3.env"),
            "VGW_PORT": f"127.0.0.1:{self.port}",
            "ROOT_ACCESS_KEY_ID": self.access_key,
            "ROOT_SECRET_ACCESS_KEY": self.secret_key,
        }

    def answers(self) -> bool:
        return all(info.type == FileType.Directory for info in self.files().get_file_info(list(self._buckets)))

    def files(self) -> S3FileSystem:
        return S3FileSystem(
            access_key=self.access_key,
            secret_key=self.secret_key,
            endpoint_override=self.endpoint,
            region=self.region,
            connect_timeout=2,
            request_timeout=20,
        )
