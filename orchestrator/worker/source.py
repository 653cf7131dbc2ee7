"""Work from a server, for the pools of `adapters/workers.py`: an `adapters.work.WorkSource` over HTTP. In one event
loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from adapters.work import Outcome, Work
from orchestrator.worker.door import Door, DoorError, Given
from orchestrator.worker.holding import Held, Holding
from orchestrator.worker.outcomes import Outcomes

ELSEWHERE: Final = -1
"""Instead of the number of a partition: only servers know it."""
PAUSE: Final = 1.0
"""Seconds, at most, after an answer without work that came before its time, as of a server that stops."""


class HttpSource:
    """`now`: the wall clock in microseconds. `lease`: seconds of each lease, which is prolonged as long as needed.
    `failed` is told what went wrong with requests that nobody waits for; `counted` what came of each outcome."""

    def __init__(
        self,
        door: Door,
        *,
        lease: float,
        now: Callable[[], int],
        chance: Callable[[], float],
        failed: Callable[[DoorError], None],
        counted: Callable[[str], None],
    ) -> None:
        self._door = door
        self._lease = lease
        self._now = now
        self._chance = chance
        self._leased = 0
        self.holding = Holding(door, lease, failed)
        self.outcomes = Outcomes(door, chance, failed, counted)

    async def lease(self, target: str, limit: int, ttl: float, wait: float) -> list[Work]:
        """As `WorkSource`. Raises DoorError."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        found = await self._door.lease(target, limit, self._lease, wait)
        works = [self._take(each, target, ttl) for each in found]
        if not works and loop.time() - began < wait / 2:
            await asyncio.sleep(PAUSE * self._chance())
        return works

    def acknowledge(self, work: Work, outcome: Outcome) -> asyncio.Future[bool | None]:
        """As `WorkSource`."""
        held = self.holding.find(work)
        answer = self.outcomes.say(held, outcome)
        answer.add_done_callback(lambda answer: self.holding.drop(held))
        return answer

    async def run(self) -> None:
        """Keeps leases and says outcomes, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.holding.keep())
            tasks.create_task(self.outcomes.run())

    def _take(self, given: Given, target: str, ttl: float) -> Work:
        """What was leased for a short time is held for as long as was asked for, beside its own timeout."""
        leased = given.leased
        now = self._now()
        self._leased = max(now, self._leased + 1)
        timeout = leased.timeout or 0.0
        work = Work(
            leased.id,
            leased.attempt,
            target,
            bytes(leased.command),
            now + int((ttl + timeout) * 1e6),
            ELSEWHERE,
            timeout,
            tuple(leased.headers.items()),
            bytes(leased.progress),
            self._leased,
            leased.attempts_before,
        )
        self.holding.take(Held(work, leased.token, asyncio.get_running_loop().time() + given.left))
        return work
