"""A partition of the log in memory: plain lists and dicts. `MemoryLog` guards them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from copy import copy
from typing import get_args

from streams.event import Event
from streams.log import Feed, Role
from streams.outputs import Output
from streams.state import Change


class Processor:
    """A processor's position, rows and feed in one partition."""

    def __init__(self) -> None:
        self.position = 0
        self.rows: dict[str, Change] = {}
        self.feed: deque[Feed] = deque()
        self.feed_bytes = 0
        self.forgotten = 0

    def apply(self, end: int, changes: Sequence[Change], feed_bytes: int) -> None:
        self.position = end
        for change in changes:
            if change.value is None:
                self.rows.pop(change.name, None)
            else:
                self.rows[change.name] = change
        self.feed.append(Feed(end, list(changes)))
        self.feed_bytes += _size(changes)
        while self.feed_bytes > feed_bytes:
            self.drop()

    def drop(self) -> None:
        end, changes = self.feed.popleft()
        self.feed_bytes -= _size(changes)
        self.forgotten = end

    def frozen(self) -> Processor:
        twin = copy(self)
        twin.rows = dict(self.rows)
        twin.feed = deque(self.feed)
        return twin


class Right:
    """Of one role in one partition."""

    def __init__(self) -> None:
        self.owner: str | None = None
        self.epoch = 0
        self.ttl = 0
        self.expires = 0

    def extend(self, now: int) -> None:
        self.expires = now + self.ttl


class Partition:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.outputs: list[Output] = []
        self.sequences: dict[str, int] = {}
        self.processors: dict[str, Processor] = {}
        self.rights: dict[Role, Right] = {role: Right() for role in get_args(Role)}
        self.committed_at = 0

    def frozen(self) -> Partition:
        twin = copy(self)
        twin.events = list(self.events)
        twin.outputs = list(self.outputs)
        twin.sequences = dict(self.sequences)
        twin.processors = {name: processor.frozen() for name, processor in self.processors.items()}
        twin.rights = {role: copy(right) for role, right in self.rights.items()}
        return twin


def _size(changes: Sequence[Change]) -> int:
    return sum(len(change.name) + len(change.value or b"") for change in changes)
