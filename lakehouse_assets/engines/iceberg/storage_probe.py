"""Whether the catalog's storage takes a file, as the tables' data files come to it.

Where it stops: the file is removed at once; what the catalog says is the catalog's.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from pyiceberg.io import load_file_io

_IN_TIME = {"s3.connect-timeout": "5", "s3.request-timeout": "5"}


def writable(properties: Mapping[str, str], warehouse: str) -> str:
    """Writes, reads and removes a file at the warehouse's root. Raises what the storage says."""
    if "://" not in warehouse:
        return f"{warehouse} is a name; the catalog says where it lies"
    location = f"{warehouse.rstrip('/')}/.lakehouse-doctor-{uuid.uuid4().hex}"
    storage = load_file_io({**_IN_TIME, **properties}, location)
    with storage.new_output(location).create() as file:
        file.write(b"lakehouse")
    try:
        with storage.new_input(location).open() as written:
            read = written.read()
    finally:
        storage.delete(location)
    if read != b"lakehouse":
        raise OSError(f"{location} holds other bytes than were written")
    return warehouse
