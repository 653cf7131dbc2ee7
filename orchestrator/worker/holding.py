"""The commands that this process holds by lease, and that their leases last as long as it works on them.

A lease is asked for a short time, so that what a dead worker held soon goes to another, and prolonged before half of it
is over. What the server refuses to prolong is lost: it is not sent any more, and somebody else has it. In one event
loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from adapters.work import Work
from orchestrator.worker.door import Door, DoorError, LostError

AT_ONCE: Final = 8
"""Requests to prolong at once."""


@dataclass(eq=False, slots=True)
class Held:
    work: Work
    token: str
    until: float
    """The event loop's time at which the lease runs out, or before it does."""
    lost: bool = False


class Holding:
    """`lease`: seconds. `failed` is told that the server could not be asked."""

    def __init__(self, door: Door, lease: float, failed: Callable[[DoorError], None]) -> None:
        self._door = door
        self._lease = lease
        self._failed = failed
        self._held: dict[Work, Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def take(self, held: Held) -> None:
        self._held[held.work] = held

    def drop(self, held: Held) -> None:
        del self._held[held.work]

    def find(self, work: Work) -> Held:
        return self._held[work]

    def holds(self, work: Work, seconds: float) -> bool:
        """Whether it may be begun: for so long the lease lasts, or it was prolonged of late and will be again."""
        held = self._held[work]
        left = held.until - asyncio.get_running_loop().time()
        return not held.lost and left >= min(seconds, self._lease / 3)

    def count(self, target: str) -> int:
        return sum(work.target == target for work in self._held)

    async def keep(self) -> None:
        """Prolongs what needs it, until cancelled."""
        while True:
            await asyncio.sleep(self._lease / 10)
            soon = asyncio.get_running_loop().time() + self._lease / 2
            await self._prolong([held for held in self._held.values() if held.until < soon and not held.lost])

    async def _prolong(self, held: Iterable[Held]) -> None:
        waiting = iter(held)
        failures: list[DoorError] = []

        async def some() -> None:
            for each in waiting:
                if failures:
                    return  # the next round tries again
                try:
                    await self._prolong_one(each)
                except DoorError as error:
                    failures.append(error)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        if failures:
            self._failed(failures[0])

    async def _prolong_one(self, held: Held) -> None:
        if held.work not in self._held:
            return
        began = asyncio.get_running_loop().time()
        try:
            held.token = await self._door.extend(held.work.id, held.token, self._lease)
        except LostError:
            held.lost = True
        else:
            held.until = began + self._lease
