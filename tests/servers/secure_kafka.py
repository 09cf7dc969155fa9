"""Kafka as the overlay says: TLS, SASL, and what `deploy/secure/acls` lets its users do.

Where it stops: the certificates are made by `deploy/make_certificates.py`.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from .deployed import DEPLOY
from .kafka import Kafka

_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
USERS = ("broker", "connect", "lakehouse")


class SecureKafka(Kafka):
    """`certificates` is the folder that was made; each user has a random password."""

    files = ("kafka/server.properties", "secure/server.properties")
    protocol = "SASL_SSL"

    def __init__(self, folder: Path, certificates: Path) -> None:
        super().__init__(folder)
        self.ca = certificates / "ca.pem"
        self._certificate = certificates / "server.pem"
        self.passwords = {user: secrets.token_hex(16) for user in USERS}

    def environment(self) -> Mapping[str, str]:
        users = " ".join(f'user_{user}="{password}"' for user, password in self.passwords.items())
        return {
            "KAFKA_LOGINS": f'{_LOGIN} username="broker" password="{self.passwords["broker"]}" {users};',
            "KAFKA_CERTIFICATE_LOCATION": str(self._certificate),
            "KAFKA_CA_LOCATION": str(self.ca),
        }

    @property
    def client(self) -> dict[str, str]:
        return self.client_of("broker")

    def client_of(self, user: str) -> dict[str, str]:
        """How librdkafka signs in as one of the users."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": user,
            "sasl.password": self.passwords[user],
            "ssl.ca.location": str(self.ca),
        }

    def secrets_of_connect(self) -> dict[str, str]:
        """What Connect's own environment holds of it."""
        login = f'{_LOGIN} username="connect" password="{self.passwords["connect"]}";'
        return {"KAFKA_JAAS_CONFIG": login, "KAFKA_CA_LOCATION": str(self.ca)}

    def let_in(self) -> None:
        """Gives the users the deployed rights."""
        admin = AdminClient(self.client)
        for done in admin.create_acls(list(rights())).values():
            done.result()


def rights() -> Iterator[AclBinding]:
    """The lines of `deploy/secure/acls`, which are arguments of Kafka's own program."""
    parser = argparse.ArgumentParser()
    for name in ("--allow-principal", "--resource-pattern-type"):
        parser.add_argument(name, default="literal")
    for name in ("--operation", "--topic", "--group"):
        parser.add_argument(name, action="append", default=[])
    for line in (DEPLOY / "secure/acls").read_text().splitlines():
        told = parser.parse_args(line.split())
        resources = [(ResourceType.TOPIC, name) for name in told.topic]
        resources += [(ResourceType.GROUP, name) for name in told.group]
        for operation in told.operation:
            for kind, name in resources:
                yield AclBinding(
                    kind,
                    name,
                    ResourcePatternType[told.resource_pattern_type.upper()],
                    told.allow_principal,
                    "*",
                    AclOperation[operation.upper()],
                    AclPermissionType.ALLOW,
                )
