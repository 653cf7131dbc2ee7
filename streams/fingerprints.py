"""The fingerprints of the last events of a partition: what a duplicate is recognised by.

They are remembered by generations: the one that is filling and `WHOLE` before it, so the last 524,288 at least, and
which these are follows from how many there ever were. So a replay drops the same events, whatever the batches and
restarts were. They lie one behind the other in buckets of bytes, about 36 in each: a search for eight bytes in 290 is
cheaper than any table that Python code would probe. In front of them is a filter of one byte a place, which holds the
generation that was there last; a whole run is looked up in it without a line of Python for each, and for three in four
that ends the search. 16 bytes each, where a set takes 65.

They are state like any other: rows `d<chunk>` of 512 fingerprints, written again and again in a ring, so that a commit
writes what is new and the rest of one chunk. One thread, the worker's.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from operator import sub
from typing import Final

from streams.state import FINGERPRINTS, Change

GENERATION: Final = 1 << 16
WHOLE: Final = 8
CHUNK: Final = 512
CHUNKS: Final = (WHOLE + 1) * GENERATION // CHUNK + 1
"""One more than may be remembered: the oldest chunk stays whole while the newest fills."""
BUCKETS: Final = 1 << 14
PLACES: Final = 1 << 21
TAGS: Final = 255
_BUCKET: Final = BUCKETS - 1
_PLACE: Final = PLACES - 1
_SIZE: Final = 8


class Fingerprints:
    """`remembered` is how many there ever were; it is kept in the partition's own row. `meanwhile` is called after each
    chunk while all are read in: half a second."""

    def __init__(
        self,
        remembered: int = 0,
        rows: Iterable[tuple[str, bytes]] = (),
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.remembered = self._first = max(0, remembered // GENERATION - WHOLE) * GENERATION
        self._buckets = [b""] * BUCKETS
        self._lengths = array("I", bytes(4 * BUCKETS))
        """Of the buckets when this generation began."""
        self._grown: deque[array[int]] = deque()
        """For each whole generation, oldest first, how much of each bucket it is."""
        self._filter = bytearray(PLACES)
        """The tag of the last generation that put something there; what is there of one that is forgotten, or whose
        tag came round again, costs a search in the bucket."""
        self._living = b""
        """For each tag, whether its generation is remembered."""
        self._tag_living()
        self._chunk = b""
        """The last `remembered % CHUNK`."""
        chunks = dict(_unpacked(value) for _, value in rows)
        for number in range(self._first // CHUNK, -(-remembered // CHUNK)):
            values = array("Q", chunks[number])
            self.remember(values[: remembered - number * CHUNK])
            meanwhile()

    def duplicates(self, values: Sequence[int]) -> set[int]:
        """The places in this run of fingerprints that are remembered, or come earlier in the run. Remembers
        nothing."""
        if len(set(values)) < len(values) or self.remembered % GENERATION + len(values) > GENERATION:
            return self._one_by_one(values)
        tags = bytes(map(self._filter.__getitem__, map(_PLACE.__and__, values)))
        for value in compress(values, tags.translate(self._living)):
            if value.to_bytes(_SIZE, "little") in self._buckets[value & _BUCKET]:
                return self._one_by_one(values)
        return set()

    def _one_by_one(self, values: Sequence[int]) -> set[int]:
        """The next generation begins with each that is new, so what is a duplicate does not depend on where runs
        end."""
        found: set[int] = set()
        run: dict[int, int] = {}
        number = self.remembered
        for place, value in enumerate(values):
            before = run[value] if value in run else self._generation(value)
            if before >= number // GENERATION - WHOLE:
                found.add(place)
            else:
                run[value] = number // GENERATION
                number += 1
        return found

    def _generation(self, value: int) -> int:
        """In which it was remembered last; below all if it is not."""
        bucket, each = value & _BUCKET, value.to_bytes(_SIZE, "little")
        place = len(self._buckets[bucket])
        while (place := self._buckets[bucket].rfind(each, 0, place)) % _SIZE:
            if place < 0:
                return -WHOLE - 1
            place += _SIZE - 1
        generation = self._first // GENERATION
        for grown in self._grown:
            if place < grown[bucket]:
                break
            place -= grown[bucket]
            generation += 1
        return generation

    def remember(self, values: Sequence[int]) -> list[Change]:
        """Remembers them, in order, and says what to commit."""
        changes: list[Change] = []
        place = 0
        while place < len(values):
            filled = self.remembered % CHUNK
            if not filled:
                self._chunk = b""
                if not self.remembered % GENERATION and self.remembered > self._first:
                    self._begin_generation()
            buckets, places = self._buckets, self._filter
            tag = _tag(self.remembered // GENERATION)
            part = values[place : place + CHUNK - filled]
            for value, each in zip(part, _split(part), strict=True):
                buckets[value & _BUCKET] += each
                places[value & _PLACE] = tag
            self._chunk += array("Q", part).tobytes()
            self.remembered += len(part)
            changes.append(self._row())
            place += len(part)
        return changes

    def _begin_generation(self) -> None:
        self._grown.append(array("I", map(sub, map(len, self._buckets), self._lengths)))
        if len(self._grown) > WHOLE:
            oldest = self._grown.popleft()
            self._buckets = [bucket[gone:] for bucket, gone in zip(self._buckets, oldest, strict=True)]
            self._first += GENERATION
        self._lengths = array("I", map(len, self._buckets))
        self._tag_living()

    def _tag_living(self) -> None:
        living = bytearray(256)
        for generation in range(self._first // GENERATION, self.remembered // GENERATION + 1):
            living[_tag(generation)] = 1
        self._living = bytes(living)

    def _row(self) -> Change:
        number = (self.remembered - 1) // CHUNK
        return Change(f"{FINGERPRINTS}{number % CHUNKS:06d}", number.to_bytes(_SIZE, "little") + self._chunk)


def _tag(generation: int) -> int:
    """0 is of places that are empty."""
    return generation % TAGS + 1


def _split(values: Sequence[int]) -> list[bytes]:
    text = array("Q", values).tobytes()
    return [text[place : place + _SIZE] for place in range(0, len(text), _SIZE)]


def _unpacked(row: bytes) -> tuple[int, bytes]:
    return int.from_bytes(row[:_SIZE], "little"), row[_SIZE:]
