"""What nodes ask of the evaluation that runs them (`rules.step.Evaluation`)."""

from __future__ import annotations

from typing import Any, Protocol

from rules.nodes.waiting import Entry
from streams.state import Cell


class Evaluating(Protocol):
    dirty: set[str]
    """Keys whose cell has changed."""

    def now(self, cell: Cell, /) -> int:
        """The clock of a key."""
        ...

    def ended(self, end: int, cell: Cell, /) -> bool:
        """Whether what ends then is over: it has fired, or its time has passed for this key."""
        ...

    def order(self, cell: Cell, /) -> int:
        """Draws the place of an entry in the order of opening."""
        ...

    def opened(self, waiter: Any, key: str, entry: Entry, /) -> None:
        """To be told of each entry that opens, or is due at another time than before."""
        ...

    def rearm(self, cell: Cell, /) -> None:
        """Makes `Cell.due` the earliest of what waits."""
        ...

    def count(self, name: str, more: int, /) -> None: ...
