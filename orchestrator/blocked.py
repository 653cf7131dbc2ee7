"""Blocked keys, for people: which there are, why, and what to do about them.

Reads the rows of the agent's park from the log, so it sees the keys of every partition, whoever owns it; frees and
skips by control events, which are in the log like everything that changes an outcome. Blocks: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from streams import rfc3339
from streams.event import SKIPPED, UNPARKED, Event, control
from streams.keys import partition_of
from streams.log import Append, Log
from streams.park import CHUNK, Blocked, chunk_name, decode_blocked, decode_offsets
from streams.state import BLOCKED
from streams.worker import RULES

MOST: Final = 1_000
ACTIONS: Final = {"unpark": UNPARKED, "skip": SKIPPED}


class Page(NamedTuple):
    keys: list[dict[str, Any]]
    next: str | None
    """The cursor of the next page; None after the last."""


def blocked_keys(log: Log, limit: int, cursor: str = "") -> Page:
    """By partition, then key. Raises LogError; ValueError for a cursor that is none."""
    partition, after = 0, ""
    if cursor:
        number, _, after = cursor.partition(".")
        if not (number.isascii() and number.isdigit() and after.startswith(BLOCKED)):
            raise ValueError(f"`{cursor}` is no cursor")
        partition = int(number[:9])
    found: list[dict[str, Any]] = []
    for at, name, value in _rows(log, partition, after, limit + 1):
        if len(found) == limit:
            return Page(found, f"{found[-1]['partition']}.{BLOCKED}{found[-1]['key']}")
        found.append(_shown(log, at, name[len(BLOCKED) :], decode_blocked(value)))
    return Page(found, None)


def blocked_key(log: Log, key: str) -> dict[str, Any] | None:
    """One of them, with its event whole. None if the key is not blocked. Raises LogError."""
    partition = partition_of(key, log.info.partitions)
    value = log.rows(partition, RULES, [BLOCKED + key]).get(BLOCKED + key)
    return _shown(log, partition, key, decode_blocked(value), whole=True) if value is not None else None


def act(log: Log, key: str, action: str, now: int) -> str | None:
    """Unparks or skips; the position of the control event. None if the key is not blocked. Raises LogError."""
    partition = partition_of(key, log.info.partitions)
    if not log.rows(partition, RULES, [BLOCKED + key]):
        return None
    event = control(ACTIONS[action], {}, time=now, key=key)
    (appended,) = log.append([Append(partition, [event])])
    return f"{log.info.generation}.{partition}.{appended.offset}"


def _rows(log: Log, first: int, after: str, limit: int) -> Iterator[tuple[int, str, bytes]]:
    for partition in range(first, log.info.partitions):
        for name, value in log.scan(partition, RULES, BLOCKED, after, limit):
            yield partition, name, value
        after = ""


def _shown(log: Log, partition: int, key: str, blocked: Blocked, whole: bool = False) -> dict[str, Any]:
    name = chunk_name(key, blocked.head // CHUNK)
    chunk = log.rows(partition, RULES, [name]).get(name)
    offset = decode_offsets(chunk)[blocked.head % CHUNK] if chunk is not None else 0
    return {
        "key": key,
        "partition": partition,
        "reason": blocked.reason,
        "waiting": blocked.waiting,
        "freed": blocked.freed,
        "event": _event(log.fetch(partition, [offset])[0], f"{log.info.generation}.{partition}.{offset}", whole)
        if offset
        else None,
    }


def _event(event: Event, position: str, whole: bool) -> dict[str, Any]:
    if whole:
        return {"position": position, **event.document()}
    return {
        "position": position,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": rfc3339.format(event.time),
    }
