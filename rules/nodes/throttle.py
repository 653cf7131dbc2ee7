"""`once_within` and `once`: per key, fire, then stay silent.

Its state is the time of the last firing, in microseconds. It is silent while a firing's time is before that plus
`within`, for times before the last firing too; what it silences does not extend it.
"""

from __future__ import annotations

from streams.state import Cell


class Throttle:
    __slots__ = ("id", "within")

    def __init__(self, id: str, within: int) -> None:
        self.id = id
        self.within = within

    def silent(self, cell: Cell, at: int) -> bool:
        last = cell.nodes.get(self.id)
        return last is not None and at < last + self.within

    def fired(self, cell: Cell, at: int) -> None:
        cell.nodes[self.id] = at
