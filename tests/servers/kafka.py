"""Kafka 4.3.1 as `deploy/kafka` says, on ports and in a folder of its own; later lines of a file win."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka.admin import AdminClient

from . import maven
from .cache import InstallError
from .deployed import DEPLOY
from .server import Server, ServerError, free_port

VERSION = "4.3.1"
_ARTIFACTS = [
    f"org.apache.kafka:kafka_2.13:{VERSION}",
    f"org.apache.kafka:connect-runtime:{VERSION}",
    f"org.apache.kafka:connect-json:{VERSION}",
    f"org.apache.kafka:connect-transforms:{VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3",
    "org.apache.logging.log4j:log4j-core:2.25.3",
]
_SHA256 = "6b627f3125041879cb2c70cdc33a99abbc8172d3c96f27424adc49e41edfc455"
# A test waits for what a server would do in minutes.
_IMPATIENT = {
    "log.cleaner.backoff.ms": "200",
    "log.retention.check.interval.ms": "500",
    "log.segment.delete.delay.ms": "1000",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "6000",
}


def java(heap: str, main: str, *arguments: str) -> list[str]:
    """The command of a class in Kafka's and Connect's jars; warnings go to the log."""
    if shutil.which("java") is None:
        raise InstallError("Kafka: there is no java; install a JDK, 17 or newer")
    jars = maven.jars(f"kafka-{VERSION}", _ARTIFACTS, _SHA256)
    options = [f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
    options += ["-Dorg.apache.logging.log4j.level=WARN"]
    return ["java", *options, "-cp", f"{jars}/*", main, *arguments]


class Kafka(Server):
    """`settings` are the broker's own, over those that a single node needs."""

    name = "Kafka"
    files: tuple[str, ...] = ("kafka/server.properties",)
    protocol = "PLAINTEXT"

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self._settings = dict(settings or {})
        self._controller = free_port()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> Sequence[str]:
        properties = self.folder / "server.properties"
        if not properties.exists():
            properties.write_text(self._properties())
            cluster = "bGFrZWhvdXNlLXRlc3RzIQ"
            made = subprocess.run(
                java("128m", "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)),
                env={**os.environ, **self.environment()},
                capture_output=True,
                text=True,
                check=False,
            )
            if made.returncode != 0:
                raise ServerError(f"Kafka: its storage could not be formatted: {made.stdout}{made.stderr}")
        return java("512m", "kafka.Kafka", str(properties))

    def _properties(self) -> str:
        controller = f"127.0.0.1:{self._controller}"
        own = {
            "listeners": f"{self.protocol}://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"{self.protocol}://{self.bootstrap}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.folder / "data"),
            **_IMPATIENT,
            **self._settings,
        }
        deployed = "".join((DEPLOY / file).read_text() for file in self.files)
        return deployed + "".join(f"{name}={value}\n" for name, value in own.items())

    @property
    def client(self) -> dict[str, str]:
        """How librdkafka reaches it."""
        return {"bootstrap.servers": self.bootstrap}

    def answers(self) -> bool:
        return bool(AdminClient({**self.client, "log_level": "0"}).list_topics(timeout=2).brokers)
