"""Runs of events as the entries of a log that keeps several events in each.

An entry is bounded (ENTRY_EVENTS, ENTRY_BYTES), so that one read, and one batch of an agent, stay bounded too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from streams import event as events
from streams.event import Event

ENTRY_EVENTS: Final = 1_000
ENTRY_BYTES: Final = 4 << 20


class Piece(NamedTuple):
    events: int
    body: bytes
    """JSON lines."""


def pieces(run: Sequence[Event]) -> list[Piece]:
    """Raises what msgspec raises for events that cannot be written as JSON."""
    made: list[Piece] = []
    for start in range(0, len(run), ENTRY_EVENTS):
        part = run[start : start + ENTRY_EVENTS]
        body = events.encode(part)
        if len(body) > ENTRY_BYTES and len(part) > 1:
            half = len(part) // 2
            made += pieces(part[:half])
            made += pieces(part[half:])
        else:
            made.append(Piece(len(part), body))
    return made
