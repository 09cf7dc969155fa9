"""Prometheus with the rules of `deploy/prometheus`, scraping one exporter of the lakehouse."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from . import debian
from .deployed import DEPLOY
from .server import Server

CONFIGURATION = DEPLOY / "prometheus/prometheus.yml"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Prometheus' own judge of its files; what it says is in the answer."""
    program = debian.program("promtool", "prometheus", "/usr/bin")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


class Prometheus(Server):
    """The deployed configuration but for `exporter`, `host:port`, in the place of its targets, and a shorter pause."""

    name = "Prometheus"

    def __init__(self, folder: Path, exporter: str) -> None:
        super().__init__(folder)
        self.exporter = exporter

    def prepare(self) -> Sequence[str]:
        told = yaml.safe_load(CONFIGURATION.read_text())
        [scraped] = [each for each in told["scrape_configs"] if each["job_name"] == "lakehouse"]
        told["global"]["scrape_interval"] = told["global"]["evaluation_interval"] = "1s"
        told["rule_files"] = [str(CONFIGURATION.parent / each) for each in told["rule_files"]]
        told["scrape_configs"] = [{**scraped, "static_configs": [{"targets": [self.exporter]}]}]
        configuration = self.folder / "prometheus.yml"
        configuration.write_text(yaml.safe_dump(told))
        program = debian.program("prometheus", "prometheus", "/usr/bin")
        listen = f"--web.listen-address=127.0.0.1:{self.port}"
        return [program, f"--config.file={configuration}", f"--storage.tsdb.path={self.folder / 'data'}", listen]

    def answers(self) -> bool:
        return self._get("-/ready").ok

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The present samples: labels in `metric`, time and text of the value in `value`."""
        answer = self._get("api/v1/query", query=expression)
        answer.raise_for_status()
        return list(answer.json()["data"]["result"])

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self._get("api/v1/rules").json()["data"]["groups"] for rule in group["rules"]]

    def _get(self, path: str, **parameters: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}/{path}", params=parameters, timeout=10)
