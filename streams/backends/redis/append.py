"""Appending: the requests of one partition go into one script, so that they are stored in order, or none of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from streams.backends.entries import pieces
from streams.backends.redis.keys import PartitionKeys
from streams.backends.redis.nodes import Argument, Call, Reply
from streams.backends.redis.scripts import script
from streams.log import Append, Appended

_APPEND: Final = script("append")
_EXACT: Final = 1 << 53
"""Up to which numbers are exact in Lua."""


def append_call(keys: PartitionKeys, requests: Iterable[Append], lag_of: str, max_lag: int) -> Call:
    """Raises what msgspec raises for events that cannot be written as JSON."""
    arguments: list[Argument] = [f"pos:{lag_of}", max_lag]
    for request in requests:
        found = pieces(request.events)
        arguments += (int(request.follows), request.producer, _sequences(request.sequences), len(request.events))
        arguments.append(len(found))
        for piece in found:
            arguments += (piece.events, piece.body)
    return _APPEND.call([keys.meta, keys.log, keys.producers], arguments)


def appended(answers: Sequence[Reply]) -> list[Appended]:
    """What the script said of each request."""
    return [Appended(*each) for each in zip(answers[::3], answers[1::3], answers[2::3], strict=True)]


def _sequences(sequences: Sequence[int]) -> str:
    if not sequences:
        return ""
    first, last = sequences[0], sequences[-1]
    if last - first == len(sequences) - 1 and last < _EXACT:
        return f"{first}:{last}"
    return ",".join(map(str, sequences))
