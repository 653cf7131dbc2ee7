"""Blocked keys: what waits behind an event that could not be evaluated.

A poisoned event is parked with its reason and its key is blocked, so that order holds: later events of the key wait.
`orchestrator.key.unparked` evaluates the parked event and those that wait, in order; `orchestrator.key.skipped` drops
the parked one and evaluates the others. At most `AT_ONCE` are evaluated in one commit: if more wait the key is marked
as being freed, and the agent appends a further `orchestrator.key.unparked`.

Offsets wait, not copies, and they wait on disk: a row for each blocked key, which says how many there are, and their
offsets in chunks. In memory are the rows of blocked keys, and of each the chunk that fills. One thread, the worker's.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Final

import msgspec

from streams.log import Log
from streams.state import BLOCKED, WAITING, Change

AT_ONCE: Final = 1_000
CHUNK: Final = 512
"""Neither may change for a log that has freed keys: what a replay evaluates at once, and where offsets lie, follow."""
_PAGE: Final = 1_000


class Blocked(msgspec.Struct, array_like=True):
    """Events of the key are counted from 0, the one that was parked first; those before `head` are done with."""

    reason: str
    head: int = 0
    """The event that is parked now."""
    tail: int = 0
    freed: bool = False
    """It is being freed: what waits is evaluated as soon as the agent says so."""

    @property
    def waiting(self) -> int:
        """Events behind the parked one."""
        return self.tail - self.head - 1


decode_blocked = msgspec.msgpack.Decoder(Blocked).decode
decode_offsets = msgspec.msgpack.Decoder(list[int]).decode
_encode = msgspec.msgpack.Encoder().encode


class Park:
    """The blocked keys of one partition, as committed; and what changed since, for the next commit."""

    def __init__(self, log: Log, partition: int, processor: str) -> None:
        self._log = log
        self._partition = partition
        self._processor = processor
        self._filling: dict[str, list[int]] = {}
        """The last chunk of each key that got an event here."""
        self._changed: dict[str, Blocked | list[int] | None] = {}
        self._before: dict[str, Blocked | None] = {}
        """What was known of each key that changed since."""
        self.keys: dict[str, Blocked] = dict(self._stored())

    def _stored(self) -> Iterator[tuple[str, Blocked]]:
        after = ""
        while rows := self._log.scan(self._partition, self._processor, BLOCKED, after, _PAGE):
            for name, value in rows:
                yield name[len(BLOCKED) :], decode_blocked(value)
            after = rows[-1][0]

    @property
    def freed(self) -> str | None:
        """A key that is being freed."""
        return next((key for key, blocked in self.keys.items() if blocked.freed), None)

    def block(self, key: str, reason: str, offset: int) -> None:
        """The event at this offset is parked."""
        self._touch(key)
        self.keys[key] = Blocked(reason)
        self.wait(key, offset)

    def wait(self, key: str, offset: int) -> None:
        """One more event of a blocked key."""
        self._touch(key)
        blocked = self.keys[key]
        number = blocked.tail // CHUNK
        chunk = self._filling.get(key)
        if chunk is None or blocked.tail % CHUNK == 0:
            chunk = self._filling[key] = self._chunk(key, number) if blocked.tail % CHUNK else []
        chunk.append(offset)
        blocked.tail += 1
        self._note(chunk_name(key, number), chunk)
        self._note(BLOCKED + key, blocked)

    def offsets(self, key: str) -> list[int]:
        """Of the parked event and those behind it, at most AT_ONCE; none if the key is not blocked."""
        blocked = self.keys.get(key)
        if blocked is None:
            return []
        end = min(blocked.tail, blocked.head + AT_ONCE)
        found: list[int] = []
        for number in range(blocked.head // CHUNK, -(-end // CHUNK)):
            begin = number * CHUNK
            found += self._chunk(key, number)[max(blocked.head - begin, 0) : end - begin]
        return found

    def advance(self, key: str, count: int) -> None:
        """So many of `offsets` are done with; when none is left the key is blocked no more, else it is being freed."""
        self._touch(key)
        blocked = self.keys[key]
        before, blocked.head = blocked.head // CHUNK, blocked.head + count
        done = blocked.head == blocked.tail
        for number in range(before, -(-blocked.tail // CHUNK) if done else blocked.head // CHUNK):
            self._note(chunk_name(key, number), None)
        if done:
            del self.keys[key]
            self._filling.pop(key, None)
        blocked.freed = not done
        self._note(BLOCKED + key, None if done else blocked)

    def park_again(self, key: str, reason: str) -> None:
        """The event that is now the first cannot be evaluated either."""
        self._touch(key)
        blocked = self.keys[key]
        blocked.reason, blocked.freed = reason, False
        self._note(BLOCKED + key, blocked)

    def changes(self) -> list[Change]:
        """What to commit since the last call."""
        changed, self._changed = self._changed, {}
        self._before.clear()
        return [Change(name, None if value is None else _encode(value)) for name, value in changed.items()]

    def discard(self) -> None:
        """Forgets what changed since `changes`."""
        for key, blocked in self._before.items():
            self._filling.pop(key, None)
            if blocked is None:
                self.keys.pop(key, None)
            else:
                self.keys[key] = blocked
        self._before.clear()
        self._changed.clear()

    def _touch(self, key: str) -> None:
        if key not in self._before:
            blocked = self.keys.get(key)
            self._before[key] = None if blocked is None else copy(blocked)

    def _chunk(self, key: str, number: int) -> list[int]:
        if key in self._filling and number == (self.keys[key].tail - 1) // CHUNK:
            return self._filling[key]
        name = chunk_name(key, number)
        if isinstance(changed := self._changed.get(name), list):
            return changed
        return decode_offsets(self._log.rows(self._partition, self._processor, [name])[name])

    def _note(self, name: str, value: Blocked | list[int] | None) -> None:
        self._changed[name] = value


def chunk_name(key: str, number: int) -> str:
    """Of the row that holds the offsets `number * CHUNK` and on of a key."""
    return f"{WAITING}{number:08d}{key}"
