"""Counters of sources that come and go, as sums that never go back.

Prometheus takes a counter that shrinks for one that began anew, and counts all of it once more. So a sum must not
shrink where one of its parts ends or begins at zero: what had been counted there stays.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Source = TypeVar("Source", bound=Hashable)
Name = TypeVar("Name", bound=Hashable)


class Growing(Generic[Source, Name]):
    """Not for several threads at once: an older count that is seen after a newer one looks as if it had begun anew."""

    def __init__(self) -> None:
        self._past: dict[Name, float] = {}
        self._last: dict[Source, Mapping[Name, float]] = {}

    def seen(self, source: Source, counts: Mapping[Name, float]) -> None:
        """What it counted since it began. If anything is less than before, all of it began anew."""
        before = self._last.get(source, {})
        if any(counts.get(name, 0) < count for name, count in before.items()):
            self.ended(source)
        self._last[source] = dict(counts)

    def ended(self, source: Source) -> None:
        _add(self._last.pop(source, {}), self._past)

    def total(self) -> dict[Name, float]:
        found = dict(self._past)
        for counts in self._last.values():
            _add(counts, found)
        return found


def _add(counts: Mapping[Name, float], to: dict[Name, float]) -> None:
    for name, count in counts.items():
        to[name] = to.get(name, 0) + count
