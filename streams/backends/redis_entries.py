"""Reading the two streams of a partition, events and outputs: whole entries, from the place that is asked for.

A script gathers what is asked for, however many events are in an entry, so that it takes one answer; a large one comes
in several.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from streams import event as events
from streams import outputs as outs
from streams.backends.redis_nodes import Call, Reply
from streams.backends.redis_scripts import script
from streams.event import Event
from streams.log import Batch, LogDamaged
from streams.outputs import Output

PAGE_BYTES: Final = 8 << 20
"""Of one answer, and one entry more at most."""
_ID: Final = re.compile(rb"([0-9]+)-0")
_READ: Final = script("read")


class Entry(NamedTuple):
    last: int
    """The offset or number of its last one."""
    size: int
    """How many are in it."""
    body: bytes


class Stream:
    """One stream as somebody reads it. `ask` sends one call to where it is and answers the reply; `upto` is where it
    ends for this reader."""

    def __init__(self, key: str, what: str, ask: Callable[[Call], Reply], upto: int | None = None) -> None:
        self.key = key
        self._what = what
        self._ask = ask
        self._end = "+" if upto is None else f"{upto}-0"

    def call(self, after: int, limit: int) -> Call:
        """What asks for the first of the entries that `entries` gives."""
        return self._call(f"{max(after, 0) + 1}-0", max(limit, 1))

    def _call(self, begin: str, limit: int) -> Call:
        return _READ.call([self.key], [begin, self._end, limit, PAGE_BYTES])

    def entries(self, after: int, limit: int, reply: Reply = None) -> Iterator[Entry]:
        """Those with something beyond `after`, until `limit` are in them or there are no more. `reply` to `call`, if it
        was asked already."""
        begin = f"{after + 1}-0"
        while limit > 0:
            more, *flat = self._ask(self._call(begin, limit)) if reply is None else reply
            reply = None
            for id, count, body in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
                entry = self._entry(id, count, body)
                limit -= min(entry.size, entry.last - after)
                yield entry
            if not more:
                return
            begin = f"({flat[-3].decode()}"

    def _entry(self, id: bytes, count: bytes, body: bytes) -> Entry:
        place = _ID.fullmatch(id)
        if place is None or not count.isdigit():
            raise LogDamaged(
                f"{self.key}: the entry {id.decode()} is none of a log: something else writes there; stop, and "
                "restore a backup"
            )
        return Entry(int(place[1]), int(count), body)

    def damaged(self, entry: Entry, error: str) -> LogDamaged:
        return LogDamaged(
            f"{self.key}: the entry of {self._what} {entry.last - entry.size + 1}…{entry.last} {error}: stop, and "
            "restore a backup"
        )


def listed(entries: Sequence[tuple[bytes, Sequence[bytes]]], most: int, limit: int) -> Reply:
    """What XREAD answered for a stream, at most so many entries, as the reply to `Stream.call`."""
    flat: list[Reply] = [int(len(entries) >= most)]
    for id, fields in entries:
        count, body = (fields[1], fields[3]) if len(fields) > 3 else (b"", b"")
        flat += (id, count, body)
        limit -= int(count) if count.isdigit() else 1
        if limit <= 0:
            flat[0] = 1
            break
    return flat


def read_events(stream: Stream, after: int, limit: int, reply: Reply = None) -> Batch:
    after = max(after, 0)
    found: list[Event] = []
    last = after
    for entry in stream.entries(after, max(limit, 1), reply):
        decoded = events.decode(entry.body)
        if len(decoded) != entry.size:
            raise stream.damaged(entry, f"holds {len(decoded)} lines, so offsets cannot be trusted")
        if not found and entry.last - entry.size < after:
            decoded = decoded[after - entry.last :]
        found += decoded
        last = entry.last
    return Batch(range(last - len(found) + 1, last + 1), found)


def read_outputs(stream: Stream, after: int, limit: int) -> tuple[int, list[Output]]:
    after = max(after, 0)
    found: list[Output] = []
    number = 0
    for entry in stream.entries(after, max(limit, 1)):
        try:
            decoded = outs.decode(entry.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise stream.damaged(entry, f"cannot be read ({error})") from error
        if len(decoded) != entry.size:
            raise stream.damaged(entry, f"holds {len(decoded)} lines")
        begin = entry.last - entry.size + 1
        if not found:
            number = max(begin, after + 1)
            decoded = decoded[number - begin :]
        found += decoded
    return (number, found) if found else (0, [])
