"""Reading the two streams of a partition, events and outputs: whole entries, from the place that is asked for.

How many entries hold what is asked for is told by those that were read last; a large answer comes in several. No script
gathers them: through one, each byte would cost the server eight times as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from streams import event as events
from streams import outputs as outs
from streams.backends.redis.nodes import Call, Reply
from streams.event import Event
from streams.log import Batch, LogDamaged
from streams.outputs import Output

PAGE_BYTES: Final = 8 << 20
"""Of one answer, about."""
FEW: Final = 8
"""Entries of an answer while nothing is known of them, of 1 MB each at most."""
MANY: Final = 128
"""Entries of an answer at most."""
_ID: Final = re.compile(rb"([0-9]+)-0")
Listed: TypeAlias = Sequence[tuple[bytes, Sequence[bytes]]]
"""Entries as Redis answers them: id, names and values of fields."""


class Entry(NamedTuple):
    last: int
    """The offset or number of its last one."""
    size: int
    """How many are in it."""
    body: bytes


class Shape(NamedTuple):
    """What was read at once: so the next entries will be, about."""

    entries: int
    size: int
    bytes: int

    def count(self, limit: int) -> int:
        """Of entries with so many in them, or of as many as fit into an answer."""
        wanted = -(-limit * self.entries // max(self.size, 1))
        return max(min(wanted, PAGE_BYTES * self.entries // max(self.bytes, 1), MANY), 1)


Shapes: TypeAlias = dict[str, Shape]
"""By the key of a stream, as it was read last."""


class Stream:
    """One stream as somebody reads it. `ask` sends one call to where it is and answers the reply; `upto` is where it
    ends for this reader."""

    def __init__(
        self, key: str, what: str, ask: Callable[[Call], Reply], shapes: Shapes, upto: int | None = None
    ) -> None:
        self.key = key
        self._what = what
        self._ask = ask
        self._shapes = shapes
        self._end = "+" if upto is None else f"{upto}-0"

    def first(self, after: int) -> Call:
        """What asks for the first FEW of the entries that `entries` gives."""
        return self._call(f"{after + 1}-0", FEW)

    def _call(self, begin: str, count: int) -> Call:
        return ("XRANGE", self.key, begin, self._end, "COUNT", count)

    def entries(self, after: int, limit: int, first: Listed | None = None) -> Iterator[Entry]:
        """Those with something beyond `after`, until `limit` are in them or there are no more. `first`: the first FEW,
        or all there are, which were asked for already."""
        shape = self._shapes.get(self.key)
        count = FEW if first is not None or shape is None else shape.count(limit)
        begin = f"{after + 1}-0"
        seen = size = total = 0
        page: Listed | None = first
        while True:
            if page is None:
                page = self._ask(self._call(begin, count))
            for id, fields in page:
                entry = self._entry(id, *((fields[1], fields[3]) if len(fields) > 3 else (b"", b"")))
                seen, size, total = seen + 1, size + entry.size, total + len(entry.body)
                self._shapes[self.key] = shape = Shape(seen, size, total)
                limit -= min(entry.size, entry.last - after)
                yield entry
                if limit <= 0:
                    return
            if len(page) < count or shape is None:
                return
            begin = f"({page[-1][0].decode()}"
            # Not many more than were seen: if the next ones are larger, the answer is not.
            count = min(shape.count(limit), 2 * seen)
            page = None

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


def read_events(stream: Stream, after: int, limit: int, first: Listed | None = None) -> Batch:
    after = max(after, 0)
    found: list[Event] = []
    last = after
    for entry in stream.entries(after, max(limit, 1), first):
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
