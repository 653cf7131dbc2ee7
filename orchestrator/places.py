"""Places in a log: one position for each of several partitions, as text `1.0.42,1.1.7`.

Answers of `POST /v1/events`, ids of live streams and cursors of lists are such places. A place of an older generation
is good unless the log lost what it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streams.log import Fork, Log
from streams.position import Position

MOST: Final = 20
"""Digits of an offset."""


class PlaceError(ValueError):
    """The text is no place of this log; it says why."""


class LostPlace(Exception):
    """The log lost what stood there: `fork` says up to where it is what it was."""

    def __init__(self, position: Position, fork: Fork) -> None:
        super().__init__(
            f"{position} is of generation {position.generation}: this partition lost its events beyond offset "
            f"{fork.offset} when generation {fork.generation} began. Publish them again, and read on from there"
        )
        self.position = position
        self.fork = fork


def write(log: Log, places: Mapping[int, int]) -> str:
    """From partition → offset."""
    generation = log.info.generation
    return ",".join(str(Position(generation, partition, offset)) for partition, offset in sorted(places.items()))


def read(log: Log, text: str) -> dict[int, int]:
    """Partition → offset; of two in one partition the greater. Raises PlaceError and LostPlace."""
    found: dict[int, int] = {}
    for part in text.split(","):
        position = _position(part)
        if position.partition >= log.info.partitions:
            raise PlaceError(f"`{part}` is of partition {position.partition}: there are {log.info.partitions}")
        if position.generation > log.info.generation:
            raise PlaceError(f"`{part}` is of a later generation than this log's {log.info.generation}: another log's?")
        for fork in log.forks:
            if (
                fork.partition == position.partition
                and position.generation < fork.generation
                and position.offset > fork.offset
            ):
                raise LostPlace(position, fork)
        found[position.partition] = max(position.offset, found.get(position.partition, 0))
    return found


def _position(text: str) -> Position:
    if len(text) > 3 * MOST:
        raise PlaceError("that is no position: write generation.partition.offset, such as 1.0.42")
    try:
        return Position.parse(text)
    except ValueError as error:
        raise PlaceError(str(error)) from None
