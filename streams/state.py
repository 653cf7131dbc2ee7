"""State: one cell per key, and what a commit changes.

Everything that is known of a key lies in one cell: its clock, its projection rows and the state of its rule nodes, each
under the id of its definition (the hash of what it means), so that an unchanged definition keeps its state when rules
change. One look-up an event, one encoding a commit.

Rules change cells in place and say which; the agent encodes them, logs commit them, projections show them. Beside the
cells a partition has a few rows of its own. Row names tell them apart by their first letter:

    k<key>            the cell of a key               p           the partition's own small state (`Partition`)
    b<key>            a blocked key                   d<number>   remembered fingerprints, for duplicates
    w<number><key>    offsets that wait behind it         e<id>/<key> a copy of a row (`streams/copies.py`)
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

NEVER: Final = 2**62
"""A due time that no clock reaches."""
DAWN: Final = -(2**62)
"""The clock of a key that no event has moved."""

CELL: Final = "k"
BLOCKED: Final = "b"
WAITING: Final = "w"
PARTITION: Final = "p"
FINGERPRINTS: Final = "d"
COPY: Final = "e"


class Cell(msgspec.Struct, array_like=True, gc=False):
    """What is known of one key. `rows` and `nodes` hold plain JSON-like values (and bytes) only."""

    clock: int = DAWN
    """Microseconds: the latest time of the key's own events from outside, minus lateness. Ticks are not in it."""
    due: int = NEVER
    """The earliest of all its deadlines, so that a tick finds it."""
    opened: int = 0
    """How many deadlines this key ever opened: the order of opening."""
    rows: dict[str, dict[str, Any]] = {}
    """Projection id → row."""
    nodes: dict[str, Any] = {}
    """Node id → state."""


class Change(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One row of a commit. `value` None deletes it; `due` is when a tick must look at it, NEVER for most."""

    name: str
    value: bytes | None
    due: int = NEVER


_cells = msgspec.msgpack.Decoder(Cell)
_changes = msgspec.msgpack.Decoder(list[Change])
_encoder = msgspec.msgpack.Encoder()

encode_cell = _encoder.encode
decode_cell = _cells.decode


def encode_changes(changes: list[Change]) -> bytes:
    """One blob for all rows of a commit."""
    return _encoder.encode(changes)


def decode_changes(blob: bytes) -> list[Change]:
    return _changes.decode(blob)
