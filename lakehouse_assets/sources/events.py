"""User events as the site and the app send them, the same for the same seed, together with what is true of them.

Four of five events come from the active users, the rest from users who return or are new, so that the user base
grows. Where it stops: it yields messages; `event_faults.py` spoils a share of them, `writer.py` stores them.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lakehouse_assets.sources.event_faults import CONFLICT, spoil, unreadable
from lakehouse_assets.sources.messages import Message, partition_of
from lakehouse_assets.sources.user_event import UserEvent, event_id, to_json

START = datetime(2026, 1, 5, tzinfo=UTC)
TOPIC = "user-events"
ACTIVE_SHARE = 0.8
NEW_SHARE = 0.05
"""Of the events that do not come from an active user, those of a user never seen before."""

_TYPES = ("click", "login", "purchase", "logout")
_TYPE_WEIGHTS = (70, 86, 94, 100)
_PAGES = {
    "click": ("/home", "/products", "/cart", "/search", "/profile", "/products/42"),
    "login": ("/login", "/home"),
    "purchase": ("/checkout", "/cart", "/products"),
    "logout": ("/logout", "/profile"),
}
_BLOCK = 1000
_REMEMBERED = 200
_LATEST_MS = 2 * 3_600_000


@dataclass(frozen=True)
class Traffic:
    """`rate` is events a second; the shares, 0 to 1 of all messages, are sent again, unreadable, refused or late."""

    seed: int = 7
    start: datetime = START
    rate: float = 5.0
    users: int = 100
    duplicates: float = 0.0
    dead: float = 0.0
    rejected: float = 0.0
    late: float = 0.0
    partitions: int = 3


@dataclass
class EventTruth:
    """What a reader of the messages must find: `valid` each once; everything else is a count of messages."""

    valid: list[UserEvent] = field(default_factory=list)
    duplicates: int = 0
    dead: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    from_active: int = 0

    @property
    def messages(self) -> int:
        return len(self.valid) + self.duplicates + self.dead + self.rejected.total()


@dataclass
class EventBatch:
    messages: list[Message] = field(default_factory=list)
    truth: EventTruth = field(default_factory=EventTruth)


class EventStream:
    """One endless stream: taking 10 and then 10 gives what taking 20 gives, but for the offsets, which start at 0."""

    def __init__(self, traffic: Traffic | None = None, topic: str = TOPIC) -> None:
        self._traffic = traffic or Traffic()
        self._topic = topic
        self._random = random.Random(self._traffic.seed)
        self._users = self._traffic.users
        self._active = list(range(1, self._users // 5 + 1)) or [1]
        self._is_active = set(self._active)
        self._recent: deque[UserEvent] = deque(maxlen=_REMEMBERED)
        self._clock_ms = self._traffic.start.timestamp() * 1000
        self._draws = self._draw()
        self._advance()

    @property
    def users(self) -> int:
        """How many users there are by now; their numbers are 1 to this."""
        return self._users

    def take(self, count: int) -> EventBatch:
        """The next `count` messages."""
        return self._collect(count, float("inf"))

    def until(self, moment: datetime) -> EventBatch:
        """The messages that are due up to a moment: what a live producer sends each time it wakes."""
        return self._collect(None, moment.timestamp() * 1000)

    def _collect(self, count: int | None, due_ms: float) -> EventBatch:
        batch = EventBatch()
        offsets = [0] * self._traffic.partitions
        while (count is None or len(batch.messages) < count) and self._clock_ms <= due_ms:
            user_id, value = self._next(batch.truth)
            key = str(user_id).encode()
            partition = partition_of(key, self._traffic.partitions)
            now = int(self._clock_ms)
            batch.messages.append(Message(self._topic, partition, offsets[partition], now, key, value))
            offsets[partition] += 1
            self._advance()
        return batch

    def _advance(self) -> None:
        self._clock_ms += self._random.expovariate(self._traffic.rate) * 1000

    def _next(self, truth: EventTruth) -> tuple[int, bytes]:
        traffic, fate = self._traffic, self._random.random()
        dead = traffic.duplicates + traffic.dead
        if fate < traffic.duplicates and self._recent:
            truth.duplicates += 1
            again = self._random.choice(self._recent)
            return again.user_id, to_json(again)
        event = self._event(truth)
        if fate < dead:
            truth.dead += 1
            return event.user_id, unreadable(event, self._random)
        if fate < dead + traffic.rejected:
            reason, value = spoil(event, self._recent, self._random)
            truth.rejected[reason] += 1
            return (self._recent[-1] if reason == CONFLICT else event).user_id, value
        truth.valid.append(event)
        self._recent.append(event)
        return event.user_id, to_json(event)

    def _event(self, truth: EventTruth) -> UserEvent:
        event_type, page, source = next(self._draws)
        at = int(self._clock_ms)
        if self._traffic.late and self._random.random() < self._traffic.late:
            at -= self._random.randrange(_LATEST_MS)
        return UserEvent(event_id(at, self._random), self._user(truth), event_type, page, at, source)

    def _user(self, truth: EventTruth) -> int:
        draw = self._random.random
        if draw() < ACTIVE_SHARE:
            truth.from_active += 1
            return self._active[int(draw() * len(self._active))]
        if draw() < NEW_SHARE or len(self._active) == self._users:
            self._users += 1
            if self._users % 5 == 0:
                self._active.append(self._users)
                self._is_active.add(self._users)
            return self._users
        while (user := 1 + int(draw() * self._users)) in self._is_active:
            pass
        return user

    def _draw(self) -> Iterator[tuple[str, str, str]]:
        # A generator of its own, so that drawing in blocks does not disturb the order of the other draws.
        numbers = random.Random(self._traffic.seed + 1)
        while True:
            types = numbers.choices(_TYPES, cum_weights=_TYPE_WEIGHTS, k=_BLOCK)
            sources = numbers.choices(("web", "mobile"), cum_weights=(60, 100), k=_BLOCK)
            for event_type, source in zip(types, sources, strict=True):
                pages = _PAGES[event_type]
                yield event_type, pages[int(numbers.random() * len(pages))], source
