"""Due times as the scores of a sorted set, exactly: scores are doubles, due times whole numbers up to 2^62 either way.

A double's bits, read as a whole number, are in the double's own order. So the bits of a score are the due time, moved
up to where all doubles are normal ones, and its sign is the due time's. Text of 17 digits says a double exactly.
"""

from __future__ import annotations

import struct
from typing import Final

_MOVED: Final = 1 << 61
_FARTHEST: Final = 1 << 62
_bits: Final = struct.Struct(">q")
_double: Final = struct.Struct(">d")


def score(due: int) -> str:
    """Of any whole number; those beyond 2^62 count as infinite."""
    if abs(due) > _FARTHEST:
        return "inf" if due > 0 else "-inf"
    (value,) = _double.unpack(_bits.pack(abs(due) + _MOVED))
    return repr(value if due >= 0 else -value)


def due(score: bytes) -> int:
    value = float(score)
    (bits,) = _bits.unpack(_double.pack(abs(value)))
    return int(bits - _MOVED if value > 0 else _MOVED - bits)
