"""Servers as processes: they answer, end with all their children, and say what they wrote when they fail."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from . import java
from .cache import InstallError, folder_digest, kept, verify
from .server import Server, ServerError, wait_until

_SERVE = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


class Web(Server):
    """Of Python's own, with a child."""

    name = "web"

    def prepare(self) -> Sequence[str]:
        return [sys.executable, "-c", _SERVE, str(self.port)]

    def answers(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}", timeout=1) as answer:
            return bool(answer.status == 200)


class Broken(Web):
    name = "broken"

    def prepare(self) -> Sequence[str]:
        return [sys.executable, "-c", "print('no disk left'); raise SystemExit(1)"]


def _processes(server: Server) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(server.folder)]


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_a_server_ends_with_its_children_and_can_be_started_again(
    tmp_path: Path, end: Callable[[Server], None]
) -> None:
    server = Web(tmp_path / "web").start()
    assert server.is_up()
    assert len(_processes(server)) == 2
    end(server)
    wait_until("all have ended", lambda: not _processes(server), 10)
    assert not server.is_up()

    with server:
        assert server.is_up()
    assert not server.is_up()


def test_a_server_that_does_not_start_says_what_it_wrote(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"broken ended while it started\n(.*\n)*no disk left"):
        Broken(tmp_path / "broken").start()


def test_what_is_kept_is_made_once_and_never_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SERVERS_CACHE", str(tmp_path))
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "jar").write_text("one")
        if len(made) == 1:
            raise OSError("the network is gone")

    with pytest.raises(OSError, match="the network"):
        kept("thing", make)
    assert not (tmp_path / "thing").exists()
    assert kept("thing", make) == kept("thing", make) == tmp_path / "thing"
    assert len(made) == 2


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jar").write_text("one")
    pinned = folder_digest(tmp_path)
    verify("Kafka", folder_digest(tmp_path), pinned)
    (tmp_path / "jar").write_text("two")
    with pytest.raises(InstallError, match="Kafka: its checksum is"):
        verify("Kafka", folder_digest(tmp_path), pinned)


def test_a_program_finds_a_jdk_that_fits_and_says_what_there_is_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, version in {"old": "1.8.0_412", "seventeen": "17.0.15", "new": "31.0.1"}.items():
        (tmp_path / folder / "bin").mkdir(parents=True)
        (tmp_path / folder / "bin" / "java").touch()
        (tmp_path / folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    monkeypatch.setattr(java, "_INSTALLED", (f"{tmp_path}/*",))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java.java_home("Trino", 24) == tmp_path / "new"

    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "seventeen"))
    with pytest.raises(InstallError, match=r"Trino: it needs a JDK 40 or newer, found 17 in .*seventeen, 31 in .*8 in"):
        java.java_home("Trino", 40)
