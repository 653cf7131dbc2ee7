"""The workers of one target, in process: lease, deliver, acknowledge, as many at once as the target bears.

Work is leased ahead of what is being sent, about a quarter of a second's worth at the pace of late, so that a commit's
wait is not felt and a slow target does not hold what it cannot send. What waits too long is given back untried.
One event loop; nothing is shared between targets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from adapters.adapter import Adapter
from adapters.target import Target
from adapters.work import RETURNED, Outcome, Verdict, Work, WorkSource

AHEAD: Final = 0.25
"""Seconds of work to hold beside what is being sent."""
MOST_AHEAD: Final = 256
WAIT: Final = 30.0
"""Seconds that one request for work waits."""
SMOOTHING: Final = 0.2
SLACK: Final = 1.0
"""Seconds that an attempt may take beyond its timeout, which the adapter keeps itself, before it is ended."""
BREAKING_OFF: Final = 1.0
BROKEN_OFF: Final = Outcome(Verdict.RETRY, "the server stopped while it was being sent")


class Workers:
    """`holds` says whether a leased command may still be sent; `observe` gets (verdict, seconds) of each attempt,
    `failed` what the adapter raised."""

    def __init__(
        self,
        target: Target,
        adapter: Adapter,
        source: WorkSource,
        now: Callable[[], int],
        holds: Callable[[Work], bool],
        observe: Callable[[Verdict, float], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._target = target
        self._adapter = adapter
        self._source = source
        self._now = now
        self._holds = holds
        self._observe = observe
        self._failed = failed
        self._slots = asyncio.Semaphore(target.concurrency)
        self._tasks: dict[asyncio.Task[None], Work] = {}
        self._untouched: set[Work] = set()
        """Of tasks that have not taken their first step: one that is cancelled before it never runs at all."""
        self._sending: set[Work] = set()
        self._room = asyncio.Event()
        self._mean = target.timeout
        """Seconds that an attempt took of late. Begins as if it were slow: what is leased ahead grows by success."""
        self._ttl = 2 * target.timeout + 30.0

    async def run(self) -> None:
        """Until cancelled. Raises what leasing raises."""
        while True:
            while (room := (ahead := self._ahead()) - len(self._tasks)) <= ahead // 4 and self._tasks:
                self._room.clear()
                await self._room.wait()
            for work in await self._source.lease(self._target.name, max(room, 1), self._ttl, WAIT):
                task = asyncio.create_task(self._work(work))
                self._tasks[task] = work
                self._untouched.add(work)
                task.add_done_callback(self._ended)

    async def stop(self, partition: int | None, timeout: float) -> None:
        """Gives back what waits, finishes within `timeout` seconds what is being sent, breaks off the rest; of one
        partition, or (None) of all. Everything is acknowledged when it returns, though it may not be stored; but what
        an adapter does that does not heed being cancelled is left to itself after BREAKING_OFF seconds."""
        mine = [task for task, work in self._tasks.items() if partition in (None, work.partition)]
        for task in mine:
            if self._tasks[task] not in self._sending:
                task.cancel()
        if mine:
            _, late = await asyncio.wait(mine, timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=BREAKING_OFF)

    def _ahead(self) -> int:
        """How many to hold, those being sent included."""
        each = max(self._mean, 1e-4)
        return self._target.concurrency + min(int(self._target.concurrency * AHEAD / each), MOST_AHEAD)

    def _ended(self, task: asyncio.Task[None]) -> None:
        work = self._tasks.pop(task)
        self._room.set()
        if work in self._untouched:
            self._untouched.discard(work)
            _ = self._source.acknowledge(work, RETURNED)
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, Exception), error
            self._failed(error)

    async def _work(self, work: Work) -> None:
        self._untouched.discard(work)
        outcome = RETURNED
        try:
            if await self._slot(work):
                try:
                    if self._holds(work):
                        self._sending.add(work)
                        outcome = BROKEN_OFF  # unless the attempt comes to its end
                        outcome = await self._attempt(work)
                finally:
                    self._sending.discard(work)
                    self._slots.release()
        finally:
            stored = self._source.acknowledge(work, outcome)
        await stored

    async def _slot(self, work: Work) -> bool:
        """Waits for its turn; not if the lease could run out while it is sent."""
        left = (work.deadline - self._now()) / 1e6 - self._limit(work) - SLACK
        if left <= 0:
            return False
        try:
            async with asyncio.timeout(left):
                await self._slots.acquire()
        except TimeoutError:
            return False
        return True

    def _limit(self, work: Work) -> float:
        """Seconds that the adapter has for it."""
        return work.timeout or self._target.timeout

    async def _attempt(self, work: Work) -> Outcome:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._limit(work) + SLACK):
                outcome = await self._adapter.deliver(work)
            if not isinstance(outcome, Outcome):
                raise TypeError(f"it answered with {type(outcome).__name__} instead of an Outcome")
        except Exception as error:
            self._failed(error)
            outcome = Outcome(Verdict.RETRY, f"the adapter failed: {type(error).__name__}: {error}".rstrip(": "))
        took = asyncio.get_running_loop().time() - began
        self._mean += SMOOTHING * (took - self._mean)
        self._observe(outcome.verdict, took)
        return replace(outcome, took=took)
