"""What waits: states of nodes for which time alone makes something happen (RULES.md §9).

The state of a node that waits is a list that begins with the entry that is due first, and mostly holds others. An
entry is a list that begins with `[due, order]`: when it is due, in microseconds, and its place in the order of
opening of its key. A key for which nothing waits has no state.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, runtime_checkable

Entry = list[Any]
LAST: Final = 1 << 32
"""Ranks from here on are of what is only forgotten at a time: after all that fires then, and what follows from it."""
DUE: Final = 0
ORDER: Final = 1


@runtime_checkable
class Forgetful(Protocol):
    """A waiter of one entry, of which only state is due that means nothing any more: to drop it can wait while a key
    is in use."""

    @property
    def keeps(self) -> int:
        """How long that may be, in microseconds."""
        ...
