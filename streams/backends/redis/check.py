"""What is wrong with a partition in Redis, in words: numbering, counts, and whether what is stored can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from streams import event as events
from streams import outputs as outs
from streams.backends.redis.entries import Stream
from streams.backends.redis.heads import Head
from streams.backends.redis.partitions import Partitions
from streams.log import LogDamaged

EVERYTHING = 1 << 62


def check(partitions: Partitions, partition: int, head: Head, lag_of: str) -> Iterator[str]:
    """Reads all events and outputs up to what `head` counts."""
    keys = partitions[partition]
    tail, outputs = head.number("tail"), head.number("outputs")
    yield from _numbering(partitions, partition, keys.log, "events", tail, _count_events)
    yield from _numbering(partitions, partition, keys.out, "outputs", outputs, _count_outputs)
    position = head.number(f"pos:{lag_of}")
    if position > tail:
        yield f"partition {partition}: the position of {lag_of} is {position}, beyond the tail {tail}"
    for processor in head.positions:
        forgotten, at = head.number(f"forgot:{processor}"), head.number(f"pos:{processor}")
        if forgotten > at:
            yield f"partition {partition}: {processor} is at {at}, but its feed is forgotten up to {forgotten}"


def _numbering(
    partitions: Partitions, partition: int, key: str, what: str, upto: int, counted: Callable[[bytes], int]
) -> Iterator[str]:
    stream = Stream(key, what, lambda call: partitions.ask(partition, call), {}, upto)
    expected = 1
    try:
        for entry in stream.entries(0, EVERYTHING):
            first = entry.last - entry.size + 1
            if first > expected:
                yield f"partition {partition}: {what} {expected}…{first - 1} are missing"
            elif first < expected:
                yield f"partition {partition}: {what} {first}…{expected - 1} are there twice"
            try:
                found = counted(entry.body)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                yield f"partition {partition}: {what} {first}…{entry.last} cannot be read: {error}"
            else:
                if found != entry.size:
                    yield f"partition {partition}: of {what} {first}…{entry.last} only {found} can be read"
            expected = entry.last + 1
    except LogDamaged as error:
        yield str(error)
        return
    if expected != upto + 1:
        yield f"partition {partition}: {upto} {what} were counted, the last one stored is {expected - 1}"


def _count_events(body: bytes) -> int:
    return sum(event.type != events.UNDECODABLE for event in events.decode(body))


def _count_outputs(body: bytes) -> int:
    return len(outs.decode(body))
