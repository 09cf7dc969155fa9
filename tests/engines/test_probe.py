"""Probes are looked at at the same time, each for a bounded while, and what needs a failed one is not looked at."""

from __future__ import annotations

import socket
from threading import Barrier, Event

from lakehouse_assets.engines.probe import Probe, examine, tcp


def _probe(service: str, claim: str, error: Exception | None = None) -> Probe:
    def look() -> str:
        if error is not None:
            raise error
        return "seen"

    return Probe(service, claim, look, f"mend {claim}")


def test_of_a_service_nothing_is_looked_at_beyond_what_failed() -> None:
    found = examine(
        [
            _probe("Kafka", "is_reachable"),
            _probe("Kafka", "takes_the_login", ValueError("no\nlogin")),
            _probe("Kafka", "topics_exist"),
            _probe("catalog", "is_reachable"),
        ]
    )
    assert [(f.service, f.ended, f.found, f.fix) for f in found] == [
        ("Kafka", "ok", "seen", ""),
        ("Kafka", "failed", "no login", "mend takes_the_login"),
        ("Kafka", "not looked at", "needs the one above", ""),
        ("catalog", "ok", "seen", ""),
    ]


def test_what_never_answers_is_a_failure_and_keeps_nobody_waiting() -> None:
    never = Event()
    silent = Probe("Trino", "has_started", lambda: str(never.wait()), "wait for it")
    waiting, other = examine([silent, _probe("catalog", "is_reachable")], limit_seconds=0.2)
    never.set()
    assert (waiting.ended, waiting.found, waiting.passing) == ("failed", "no answer within 0.2 s", True)
    assert other.ended == "ok"


def test_services_are_looked_at_at_the_same_time() -> None:
    all_there = Barrier(3)
    probes = [Probe(name, "meets", lambda: str(all_there.wait(20)), "") for name in ("Kafka", "Trino", "catalog")]
    assert {f.ended for f in examine(probes)} == {"ok"}


def test_a_refused_connection_and_an_unknown_host_may_pass_and_a_wrong_login_does_not() -> None:
    with socket.socket() as bound:  # bound and not listening: whoever connects is refused
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        [refused] = examine([Probe("S3", "is_reachable", lambda: tcp("127.0.0.1", port), "start it")])
    [unknown] = examine([Probe("S3", "is_reachable", lambda: tcp("no.such.host.invalid", 1), "start it")])
    [wrong] = examine([_probe("S3", "takes_the_login", PermissionError("who are you?"))])
    assert (refused.found, refused.passing) == (f"127.0.0.1:{port}: Connection refused", True)
    assert unknown.found.startswith("no.such.host.invalid:1: ")
    assert (unknown.passing, wrong.passing) == (True, False)


def test_a_long_error_is_cut() -> None:
    [found] = examine([_probe("S3", "is_reachable", ValueError("x" * 5000))])
    assert len(found.found) < 500
