"""Events of one `publish` cut into requests, and their answers put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator_client.answers import Published
from orchestrator_client.errors import ClientError, Problem

MOST: Final = 1_000
"""Events of one request; the server takes 10,000."""
MOST_BYTES: Final = 2 << 20
"""Bytes of one request, about; the server takes 8 MiB unless it was set otherwise."""


def cut(events: Sequence[bytes], most: int = MOST, most_bytes: int = MOST_BYTES) -> Iterator[Sequence[bytes]]:
    """In order. An event that is larger than `most_bytes` goes alone."""
    begin = size = 0
    for place, event in enumerate(events):
        if place > begin and (place - begin == most or size + len(event) > most_bytes):
            yield events[begin:place]
            begin, size = place, 0
        size += len(event) + 1
    if begin < len(events):
        yield events[begin:]


class Collected:
    """The answers so far."""

    def __init__(self) -> None:
        self._positions: list[str] = []

    def add(self, answer: Published) -> None:
        self._positions.extend(answer.positions)

    def failed(self, error: ClientError) -> ClientError:
        """The error as it is of the whole call: how many were taken before, and which event of all is to blame."""
        error.published = len(self._positions)
        if isinstance(error, Problem) and error.index is not None and self._positions:
            error.document["index"] = error.index + len(self._positions)
        return error

    def whole(self) -> Published:
        return Published(len(self._positions), self._positions)
