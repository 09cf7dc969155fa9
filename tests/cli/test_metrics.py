"""`lakehouse metrics` as Prometheus meets it: over HTTP, from a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from .conftest import Lakehouse


@retry(
    retry=retry_if_result(lambda text: "lakehouse_measured" not in text),
    wait=wait_fixed(0.1),
    stop=stop_after_delay(60),
)
def scrape(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return str(answer.read().decode())


def test_metrics_are_served_until_the_process_is_told_to_end(home: Path) -> None:
    command = [sys.executable, "-m", "lakehouse_assets.cli.main", "metrics", "--port", "0", "--every", "0.2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr is not None
        address = served.stderr.readline().strip()
        told = scrape(address)
        served.send_signal(signal.SIGTERM)
        assert (served.wait(60), served.stderr.read()) == (0, "")
    assert address.startswith("http://127.0.0.1:")
    assert 'lakehouse_lag_messages{table="bank_users"} 0.0' in told


def test_one_measurement_is_printed_as_prometheus_reads_it(lakehouse: Lakehouse) -> None:
    printed = lakehouse("metrics", "--once")
    assert printed.exit_code == 0
    assert "# TYPE lakehouse_lag_seconds gauge\n" in printed.stdout


def test_a_port_that_is_taken_is_one_line(lakehouse: Lakehouse) -> None:
    refused = lakehouse("metrics", "--host", "203.0.113.1")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "203.0.113.1" in refused.stderr or "assign" in refused.stderr
