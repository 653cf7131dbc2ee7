"""How long the ledger keeps commands that have ended: a slow walk over all rows of a partition, a page at a time.

Ids are digests, so each page is a sample of all ages, and nothing needs an index. What is parked stays until people do
something about it. One thread, that of the partition's turns.
"""

from __future__ import annotations

from typing import Final

from adapters.draft import Draft
from adapters.ledger import BESIDE, DELIVERY, Entry, State, entry
from streams.log import Log
from streams.state import NEVER

PAGE: Final = 500
"""Rows of one step."""
STEP: Final = 10_000_000
"""Microseconds between two steps: four million rows a day."""
REST: Final = 3_600_000_000
"""Microseconds between two walks."""
ENDED: Final = frozenset((State.DONE, State.CANCELLED, State.EXPIRED, State.SHADOW))


class Retention:
    """`kept`: microseconds after their end; 0 keeps all."""

    def __init__(self, log: Log, partition: int, kept: int) -> None:
        self._log = log
        self._partition = partition
        self._kept = kept
        self._after = ""
        self.next = 0 if kept else NEVER
        """When the next step is due."""

    def step(self, draft: Draft, now: int) -> None:
        """Deletes what is too old of the next page, if it is time."""
        if now < self.next:
            return
        page = self._log.scan(self._partition, DELIVERY, "", self._after, PAGE)
        for name, value in page:
            if name.startswith(BESIDE) or name in draft:
                continue
            found = entry(name, value)
            if found.state in ENDED and _ended(found) + self._kept <= now:
                draft.row(name, None)
                draft.count("forgotten", found)
        whole = len(page) < PAGE
        self._after = "" if whole else page[-1][0]
        self.next = now + (REST if whole else STEP)


def _ended(found: Entry) -> int:
    """Of those that ended before this was noted, at least when they were decided."""
    return found.ended or max(found.last_attempt, found.command.at)
