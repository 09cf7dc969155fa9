"""What is asked of Kafka before anything is read: that it takes our login, has the topics, and lets us read them.

Where it stops: nothing is read or written; what the topics hold is the log's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lakehouse_assets.engines.log.log import LogError

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_SECONDS = 10.0
_QUIET = {"log_level": "0"}  # what librdkafka would print is told by the finding


def login(settings: Mapping[str, str]) -> str:
    """Raises LogError with what the broker says of the login, if it says anything."""
    brokers = _metadata(settings).brokers
    return f"{len(brokers)} {'broker' if len(brokers) == 1 else 'brokers'}"


def topics(settings: Mapping[str, str], wanted: Collection[str]) -> str:
    """Raises LogError naming the topics that are not there or have no partition."""
    held = _metadata(settings).topics
    counts = {name: len(held[name].partitions) if name in held else 0 for name in sorted(wanted)}
    if missing := [name for name, count in counts.items() if not count]:
        raise LogError(f"not there: {', '.join(missing)}")
    return f"{len(counts)} topics, {sum(counts.values())} partitions"


def readable(settings: Mapping[str, str], wanted: Sequence[str]) -> str:
    """Raises LogError naming the topics that this login may not read."""
    from confluent_kafka import KafkaException, TopicCollection
    from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # public, and not re-exported

    admin = _admin(settings)  # held: its answers end with it
    asked = admin.describe_topics(
        TopicCollection(sorted(wanted)), include_authorized_operations=True, request_timeout=_SECONDS
    )
    try:
        told = {name: described.result(_SECONDS + 1) for name, described in asked.items()}
    except KafkaException as error:
        raise LogError(error.args[0].str()) from None
    # A broker without an authorizer tells every operation.
    refused = [name for name, topic in told.items() if AclOperation.READ not in (topic.authorized_operations or ())]
    if refused:
        raise LogError(f"may not be read: {', '.join(sorted(refused))}")
    return f"{len(told)} topics"


def _metadata(settings: Mapping[str, str]) -> Any:
    from confluent_kafka import KafkaException

    said: list[str] = []
    admin = _admin(settings, said)
    try:
        return admin.list_topics(timeout=_SECONDS)
    except KafkaException as error:
        admin.poll(0)
        raise LogError("; ".join(dict.fromkeys([error.args[0].str(), *said]))) from None


def _admin(settings: Mapping[str, str], said: list[str] | None = None) -> AdminClient:
    """`said` takes what the client tells beside its answers, such as a refused login."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    heard = [] if said is None else said
    try:
        configured: dict[str, Any] = {**settings, **_QUIET, "error_cb": lambda error: heard.append(error.str())}
        return AdminClient(configured)
    except KafkaException as error:
        raise LogError(error.args[0].str()) from None
