"""Waits until everything in the log is evaluated, with all that follows from it.

Whoever owns partitions publishes moments (`Log.beat`): what was appended before is evaluated, and what it sent to other
partitions is in their logs. So: note the tails, then the time, and wait until every partition's moment is later. If the
system itself appended nothing meanwhile (forwards, what follows of a key that is freed), nothing is on its way; else
look again. Events from outside and results of commands do not count: they never end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from rules.compile.action import MAX_HOPS
from streams.event import CONTROL, FORWARDED
from streams.log import AGENT, Log
from streams.worker import RULES

STALLED: Final = 60.0
"""Seconds without any progress after which waiting ends."""
POLL: Final = 0.01
LOOK: Final = 1.0
"""Seconds between two looks at what is behind."""
PAGE: Final = 5_000
CHAIN: Final = 2 * (MAX_HOPS + 2)
"""So many forwards can follow from each other at most: one to the rule's key and one for what it emits, each hop."""


class Quiet:
    """On any event loop. `pulse` is called often while it waits; what it raises ends the waiting."""

    def __init__(self, log: Log, monotonic: Callable[[], float], pulse: Callable[[], Awaitable[None]]) -> None:
        self._log = log
        self._monotonic = monotonic
        self._pulse = pulse

    async def reached(self) -> None:
        """Raises TimeoutError where nothing moves, and LogError."""
        hops = 0
        while hops <= CHAIN:
            await self._pulse()
            tails, moment = await asyncio.to_thread(self._note)
            await self._handled(moment)
            followed = await asyncio.to_thread(self._followed, tails)
            if not followed:
                return
            # While others keep publishing what leads to forwards there is no end of them, but one of ours.
            hops += followed == {FORWARDED}

    def _note(self) -> tuple[dict[int, int], int]:
        """(tails, a moment that is not before they were read)."""
        tails = {status.partition: status.tail for status in self._log.status()}
        self._log.beat("", AGENT, {}, 0)  # its answer sets the log's clock, which may have been a little behind
        return tails, self._log.now()

    async def _handled(self, moment: int) -> None:
        waiting, before = 0, -1
        moved = looked = self._monotonic()
        while (least := await asyncio.to_thread(self._least)) <= moment:
            await self._pulse()
            now = self._monotonic()
            if before < 0 or now - looked > LOOK:
                looked = now
                found = await asyncio.to_thread(behind, self._log)
                if (found, least) != (waiting, before):
                    waiting, before, moved = found, least, now
            if now - moved > STALLED:
                raise TimeoutError(f"{waiting:,} events wait and nothing moves: look at `orchestrator partitions list`")
            await asyncio.sleep(POLL)

    def _least(self) -> int:
        """The moment of the partition that is furthest behind; 0 while one never said any."""
        moments = self._log.beat("", AGENT, {}, 0).caught_up
        return min(moments.get(partition, 0) for partition in range(self._log.info.partitions))

    def _followed(self, tails: Mapping[int, int]) -> set[str]:
        """Types of what the system itself appended beyond these tails. More than a page is not looked at: the answer is
        that something may have."""
        found: set[str] = set()
        for partition, tail in tails.items():
            events = self._log.read(partition, tail, PAGE).events
            found |= {event.type for event in events if event.kind == CONTROL}
            if len(events) >= PAGE:
                found.add(FORWARDED)
        return found


def behind(log: Log) -> int:
    """Events that are not evaluated yet."""
    return sum(max(0, status.tail - status.positions.get(RULES, 0)) for status in log.status())
