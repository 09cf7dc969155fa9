"""Makes a certificate authority and one certificate for every service of the stack, for a year, with openssl.

`make stack SECURE=1` calls it; what is there stays. Where it stops: a real deployment brings its own certificates.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("kafka", "postgres", "mysql", "webserver", "localhost")
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]


def make(folder: Path) -> None:
    """`ca.pem`, `server.crt`, `server.key` and `server.pem` (both) in a folder that only its owner enters.

    The files themselves can be read by all: each container runs as somebody else.
    """
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}-"))
    try:
        names = ",".join([*(f"DNS:{name}" for name in SERVICES), "IP:127.0.0.1"])
        _openssl(beside, "req", "-x509", "-days", "366", "-subj", "/CN=lakehouse", *_KEY, *_to("ca.key", "ca.pem"))
        signed = ["-x509", "-days", "365", "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName={names}"]
        extended = ["-addext", "basicConstraints=critical,CA:FALSE"]
        _openssl(beside, "req", *signed, *extended, "-subj", "/CN=server", *_KEY, *_to("server.key", "server.crt"))
        (beside / "ca.key").unlink()  # nobody can sign another one
        (beside / "server.pem").write_text((beside / "server.key").read_text() + (beside / "server.crt").read_text())
        for file in beside.iterdir():
            file.chmod(0o644)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _to(key: str, certificate: str) -> list[str]:
    return ["-keyout", key, "-out", certificate]


def _openssl(folder: Path, *arguments: str) -> None:
    openssl: Sequence[str] = ["openssl", *arguments]
    done = subprocess.run(openssl, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise SystemExit(f"openssl failed: {done.stderr.strip().splitlines()[-1]}")


def main() -> None:
    folder = ROOT / ".certificates"
    if not folder.exists():
        make(folder)
        sys.stdout.write(f"made {folder.name}/\n")


if __name__ == "__main__":
    main()
