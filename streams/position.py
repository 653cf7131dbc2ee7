"""Where somebody is in a log: (generation, partition, offset), as text `generation.partition.offset`.

Offsets begin at 1 and grow; offset 0 is the place before the first event. A position names the last event that was
read, so reading goes on after it. The generation grows when a log lost its tail or was split anew, so that an old
position can be told from a new one.
"""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    generation: int
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.generation}.{self.partition}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises ValueError for text that is no position."""
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError(f"`{text}` is not a position; write generation.partition.offset, such as 1.0.42")
        return cls(*map(int, parts))
