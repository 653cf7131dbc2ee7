"""Which values of a field, or which keys, a list takes: spans of codes (`order.py`) or of keys in UTF-8.

Spans of one condition are sorted and do not touch. A comparison takes only values of the kind that it names: no text is
more than 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from projections.order import KINDS


class Span(NamedTuple):
    """What is not before `low`, and before `high`; None: to the end."""

    low: bytes
    high: bytes | None


Spans = tuple[Span, ...]
EVERYTHING: Final[Spans] = (Span(b"", None),)


CODES: Final = b"\xff"
"""Behind a code, the end of what is equal to it: before all greater codes, and behind it with any key."""
KEYS: Final = b"\0"
"""The same behind a key."""


def points(places: Iterable[bytes], end: bytes) -> Spans:
    return tuple(Span(place, place + end) for place in sorted(set(places)))


def apart_from(place: bytes, end: bytes) -> Spans:
    return tuple(span for span in (Span(b"", place), Span(place + end, None)) if span.high != b"")


def compared(operation: str, place: bytes, end: bytes, within: Span) -> Spans:
    """`operation` is gt, gte, lt or lte."""
    beyond = place + end
    match operation:
        case "gt":
            return (Span(beyond, within.high),)
        case "gte":
            return (Span(place, within.high),)
        case "lt":
            return (Span(within.low, place),) if place > within.low else ()
        case _:
            return (Span(within.low, beyond),)


def kind_of(code: bytes) -> Span:
    """All values of the kind of this one."""
    return Span(*KINDS[code[0]])


def both(one: Spans, other: Spans) -> Spans:
    """What is in both."""
    found: list[Span] = []
    for a in one:
        for b in other:
            low, high = max(a.low, b.low), least(a.high, b.high)
            if high is None or low < high:
                found.append(Span(low, high))
    return tuple(found)


def least(one: bytes | None, other: bytes | None) -> bytes | None:
    """Of two ends."""
    return other if one is None else one if other is None else min(one, other)


def singles(spans: Spans) -> Sequence[bytes] | None:
    """The places, if each span holds one only."""
    alone = all(span.high in (span.low + CODES, span.low + KEYS) for span in spans)
    return [span.low for span in spans] if alone else None
