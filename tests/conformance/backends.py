"""The backends under test, and what tests are made of: a clock, events, commits.

A later backend is added to BACKENDS and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streams.backends.limits import LogLimits
from streams.backends.open import open_log
from streams.backends.redis.open import open_redis
from streams.backends.redis.url import parse
from streams.event import Event
from streams.event import fingerprint as fingerprint_of
from streams.log import AGENT, Code, Commit, Feed, Lease, Log, Role, role_of
from streams.outputs import Command, Output
from streams.state import NEVER, Change
from tests.conformance.redis_servers import Form, addresses

SMALL = LogLimits(overlay_rows=8, flush_rows=3, min_free_bytes=0)
"""Little memory for newest rows, so that tests meet every place where a row can lie."""


class Clock:
    """Microseconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1e6)


@dataclass(frozen=True)
class Backend:
    name: str
    url: Callable[[Path], str]
    """Of a log in this folder."""
    persistent: bool
    """Whether what is stored outlives `close`, and can be opened twice at once."""
    remote: bool = False
    """Servers keep it: nobody sees at once that a process died, feeds and snapshots promise less, and one append that
    is refused may have been stored in other partitions."""

    def open(self, folder: Path, clock: Clock, *, partitions: int = 3, limits: LogLimits = SMALL) -> Log:
        if self.remote:
            return open_redis(parse(self.url(folder)), partitions=partitions, limits=limits, clock=clock)
        return open_log(self.url(folder), partitions=partitions, now=clock, limits=limits)


def redis_url(form: Form, folder: Path) -> str:
    """Of a log that no other test has."""
    return f"redis://{addresses(form)}?name=t{hashlib.sha256(bytes(folder)).hexdigest()[:16]}"


BACKENDS = [
    Backend("memory", lambda folder: "memory://", persistent=False),
    Backend("sqlite", lambda folder: f"sqlite:///{folder / 'log.db'}", persistent=True),
    Backend("sqlite-normal", lambda folder: f"sqlite:///{folder / 'log.db'}?synchronous=normal", persistent=True),
    Backend("redis", lambda folder: redis_url("single", folder), persistent=True, remote=True),
    Backend("redis-cluster", lambda folder: redis_url("cluster", folder), persistent=True, remote=True),
    Backend("redis-sentinel", lambda folder: redis_url("sentinel", folder), persistent=True, remote=True),
]


def event(number: int, key: str = "k", data: bytes = b'{"n":1}') -> Event:
    id = f"e{number}"
    return Event("thing.happened", number, key, key, "/tests", id, fingerprint_of("/tests", id), msgspec.Raw(data))


def events(first: int, last: int) -> list[Event]:
    return [event(number) for number in range(first, last + 1)]


def ids(found: Sequence[Event]) -> list[str]:
    return [one.id for one in found]


def command(number: int) -> Command:
    return Command(f"c{number}", "do", "log", "rule", "k", number, f"e{number}", {"n": number}, "digest")


def put(name: str, value: bytes, due: int = NEVER) -> Change:
    return Change(name, value, due)


def gone(name: str) -> Change:
    return Change(name, None)


def as_of_now(feeds: Sequence[Feed]) -> list[Feed]:
    """What a feed may say instead that goes up to now: the newest value of each row, and no commit that changed
    nothing but the last."""
    newest = {change.name: change for feed in feeds for change in feed.changes}
    found = [
        Feed(feed.end, [newest[name] for name in dict.fromkeys(row.name for row in feed.changes)]) for feed in feeds
    ]
    return [feed for feed in found if feed.changes or feed is found[-1]]


class Writer:
    """A processor that owns a partition and knows its position."""

    def __init__(self, log: Log, partition: int = 0, processor: str = "rules", owner: str = "owner") -> None:
        self.log = log
        self.partition = partition
        self.processor = processor
        self.lease = owned(log, partition, owner, role=role_of(processor))
        self.position = log.position(partition, processor)

    def commit(self, *changes: Change, outputs: Sequence[Output] = (), events: Sequence[Event] = ()) -> Code:
        code = self.log.commit(self.next(*changes, outputs=outputs, events=events))
        if code is Code.COMMITTED:
            self.position += 1
        return code

    def next(self, *changes: Change, outputs: Sequence[Output] = (), events: Sequence[Event] = ()) -> Commit:
        start = self.position
        return Commit(self.lease, self.processor, start, start + 1, list(changes), list(outputs), list(events))


def owned(log: Log, partition: int = 0, owner: str = "owner", ttl: float = 10.0, role: Role = AGENT) -> Lease:
    lease = log.acquire(partition, owner, ttl, role)
    assert lease is not None
    return lease
