"""Blocked keys: what waits behind an event that could not be evaluated.

A poisoned event is parked with its reason and its key is blocked, so that order holds: later events of the key wait.
A blocked key stores offsets, not copies. `orchestrator.key.unparked` evaluates the parked event and all that wait, in
order; `orchestrator.key.skipped` drops the parked event and evaluates the others. One row a key: `b<key>`.
"""

from __future__ import annotations

import msgspec

from streams.log import Log
from streams.state import BLOCKED, Change

_PAGE = 1000


class Blocked(msgspec.Struct, array_like=True):
    reason: str
    offsets: list[int]
    """Of the parked event, then of those that wait behind it."""


_decode = msgspec.msgpack.Decoder(Blocked).decode
_encode = msgspec.msgpack.Encoder().encode


class Park:
    """The blocked keys of one partition, all in memory. One thread, the worker's."""

    def __init__(self) -> None:
        self.keys: dict[str, Blocked] = {}
        self._changed: set[str] = set()

    @classmethod
    def load(cls, log: Log, partition: int, processor: str) -> Park:
        park = cls()
        after = ""
        while rows := log.scan(partition, processor, BLOCKED, after, _PAGE):
            park.keys.update((name[len(BLOCKED) :], _decode(value)) for name, value in rows)
            after = rows[-1][0]
        return park

    def block(self, key: str, reason: str, offset: int) -> None:
        self.keys[key] = Blocked(reason, [offset])
        self._changed.add(key)

    def wait(self, key: str, offset: int) -> None:
        self.keys[key].offsets.append(offset)
        self._changed.add(key)

    def free(self, key: str) -> list[int]:
        """The offsets that waited; the key is no longer blocked."""
        blocked = self.keys.pop(key, None)
        if blocked is None:
            return []
        self._changed.add(key)
        return blocked.offsets

    def changes(self) -> list[Change]:
        """What to commit since the last call."""
        changes = [
            Change(BLOCKED + key, _encode(self.keys[key]) if key in self.keys else None)
            for key in sorted(self._changed)
        ]
        self._changed.clear()
        return changes
