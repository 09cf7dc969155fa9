"""The one process that holds the embedded ClickHouse engine of a lakehouse (`python -m ... HOME`).

chDB allows one process per path. A file lock, taken before chDB is loaded, decides which; another one ends at once.
Where it stops: it serves loopback only and ends by itself when nobody asked for a while; `client` starts it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import threading
import time
from pathlib import Path

from filelock import FileLock, Timeout

from lakehouse_assets.engines.clickhouse import endpoint
from lakehouse_assets.engines.clickhouse.endpoint import OWNER, READER, Endpoint
from lakehouse_assets.engines.clickhouse.engine import Engine
from lakehouse_assets.engines.clickhouse.http import Server

IDLE_SECONDS = 600.0
DRAIN_SECONDS = 30.0


def serve(home: Path, idle_seconds: float = IDLE_SECONDS) -> bool:
    """Serves until idle or told to stop; False, at once, where another process owns the engine of `home`."""
    endpoint.folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(endpoint.lock_file(home))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    with lock:
        # icebergLocal refuses paths outside the working directory.
        os.chdir(home)
        # A column without a time zone would take the machine's; the lakehouse is in UTC.
        os.environ["TZ"] = "UTC"
        time.tzset()
        engine = Engine()
        try:
            _listen(home, engine, idle_seconds)
        finally:
            engine.close()
            lock.release()
    return True


def _listen(home: Path, engine: Engine, idle_seconds: float) -> None:
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    passwords = {OWNER: secrets.token_urlsafe(32), READER: secrets.token_urlsafe(32)}
    with Server(engine, passwords, told.set) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        port = int(server.server_address[1])
        endpoint.write(home, Endpoint(port, os.getpid(), passwords[OWNER], passwords[READER]))
        while not told.wait(min(idle_seconds / 4, 1.0)):
            if server.activity.close_when_idle(idle_seconds):
                break
        endpoint.remove(home)
        server.activity.drain(DRAIN_SECONDS)
        server.shutdown()


def _detach() -> None:
    """Leaves the process that asked: it neither waits for the owner nor takes it along when it ends."""
    if os.fork():
        os._exit(0)
    os.setsid()


def main() -> None:
    parser = argparse.ArgumentParser(description="Own the embedded ClickHouse engine of a lakehouse.")
    parser.add_argument("home", type=lambda text: Path(text).resolve())
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS)
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    arguments = parser.parse_args()
    if arguments.detach:
        _detach()
    serve(arguments.home, arguments.idle_seconds)


if __name__ == "__main__":
    main()
