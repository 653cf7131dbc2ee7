"""The workers of one target, in process: lease, deliver, acknowledge, as many at once as the target bears.

Work is leased ahead of what is being sent, about a quarter of a second's worth at the pace of late, so that a commit's
wait is not felt and a slow target does not hold what it cannot send. What waits too long is given back untried.
Of a target that takes batches, whoever has its turn takes others along that wait for theirs; nothing waits for a batch
to be full. One event loop; nothing is shared between targets.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from adapters.adapter import Adapter, BatchAdapter
from adapters.target import Target
from adapters.work import RETURNED, Outcome, Verdict, Work, WorkSource

AHEAD: Final = 0.25
"""Seconds of work to hold beside what is being sent."""
MOST_AHEAD: Final = 256
MOST_HELD: Final = 10_000
"""Commands in batches, however many the target would bear; beside those ahead."""
MOST_BYTES: Final = 1 << 20
"""Of commands in a batch of several."""
WAIT: Final = 30.0
"""Seconds that one request for work waits."""
SMOOTHING: Final = 0.2
SLACK: Final = 1.0
"""Seconds that an attempt may take beyond its timeout, which the adapter keeps itself, before it is ended."""
BREAKING_OFF: Final = 1.0
BROKEN_OFF: Final = Outcome(Verdict.RETRY, "the server stopped while it was being sent")


class _Stage(enum.Enum):
    NEW = enum.auto()
    """Its task has not taken its first step: one that is cancelled before it never runs at all."""
    WAITING = enum.auto()
    SENDING = enum.auto()
    OVER = enum.auto()


@dataclass(eq=False, slots=True)
class _Parcel:
    """What one task carries: a command; none, once another has taken it along; several while they are sent."""

    works: list[Work]
    stage: _Stage = _Stage.NEW


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
        assert target.batch == 1 or isinstance(adapter, BatchAdapter), "it takes no batches"
        self._slots = asyncio.Semaphore(target.concurrency)
        self._bears = max(target.concurrency, min(target.concurrency * target.batch, MOST_HELD))
        self._tasks: dict[asyncio.Task[None], _Parcel] = {}
        """In the order of leases."""
        self._held = 0
        self._room = asyncio.Event()
        self._mean = target.timeout
        """Seconds that an attempt took of late. Begins as if it were slow: what is leased ahead grows by success."""
        self._ttl = 2 * target.timeout + 30.0

    async def run(self) -> None:
        """Until cancelled. Raises what leasing raises."""
        while True:
            while (room := (ahead := self._ahead()) - self._held) <= ahead // 4 and self._tasks:
                self._room.clear()
                await self._room.wait()
            for work in await self._source.lease(self._target.name, max(room, 1), self._ttl, WAIT):
                parcel = _Parcel([work])
                task = asyncio.create_task(self._work(parcel))
                self._tasks[task] = parcel
                self._held += 1
                task.add_done_callback(self._ended)

    async def stop(self, partition: int | None, timeout: float) -> None:
        """Gives back what waits, finishes within `timeout` seconds what is being sent, breaks off the rest; of one
        partition, or (None) of all. Everything is acknowledged when it returns, though it may not be stored; but what
        an adapter does that does not heed being cancelled is left to itself after BREAKING_OFF seconds."""
        mine = [
            task
            for task, parcel in self._tasks.items()
            if partition is None or any(work.partition == partition for work in parcel.works)
        ]
        for task in mine:
            if self._tasks[task].stage is not _Stage.SENDING:
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
        return self._bears + min(int(self._bears * AHEAD / each), MOST_AHEAD)

    def _ended(self, task: asyncio.Task[None]) -> None:
        parcel = self._tasks.pop(task)
        self._held -= len(parcel.works)
        self._room.set()
        if parcel.stage is _Stage.NEW:
            for work in parcel.works:
                _ = self._source.acknowledge(work, RETURNED)
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, Exception), error
            self._failed(error)

    async def _work(self, parcel: _Parcel) -> None:
        parcel.stage = _Stage.WAITING
        outcomes: dict[Work, Outcome] = {}
        try:
            if await self._slot(parcel.works[0]):
                try:
                    self._take_along(parcel)
                    if sent := [work for work in parcel.works if self._holds(work)]:
                        parcel.stage = _Stage.SENDING
                        outcomes = dict.fromkeys(sent, BROKEN_OFF)  # unless the attempt comes to its end
                        outcomes = dict(zip(sent, await self._attempt(sent), strict=True))
                finally:
                    self._slots.release()
        finally:
            parcel.stage = _Stage.OVER
            stored = [self._source.acknowledge(work, outcomes.get(work, RETURNED)) for work in parcel.works]
        await asyncio.gather(*stored)

    def _take_along(self, parcel: _Parcel) -> None:
        """Makes a batch, where the target takes one, of those that wait and have the same time to be sent in."""
        if self._target.batch == 1:
            return
        first = parcel.works[0]
        size = len(first.body)
        for task, other in self._tasks.items():
            if len(parcel.works) == self._target.batch:
                break
            if other is parcel or not other.works or other.stage not in (_Stage.NEW, _Stage.WAITING):
                continue
            (work,) = other.works
            size += len(work.body)
            if work.timeout != first.timeout or self._left(work) <= 0 or size > MOST_BYTES:
                size -= len(work.body)
                continue
            parcel.works.append(other.works.pop())
            task.cancel()

    async def _slot(self, work: Work) -> bool:
        """Waits for its turn; not if the lease could run out while it is sent."""
        left = self._left(work)
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

    def _left(self, work: Work) -> float:
        """Seconds until its lease leaves no time to send it any more."""
        return (work.deadline - self._now()) / 1e6 - self._limit(work) - SLACK

    async def _attempt(self, works: list[Work]) -> list[Outcome]:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._limit(works[0]) + SLACK):
                outcomes = await self._deliver(works)
        except Exception as error:
            self._failed(error)
            failed = Outcome(Verdict.RETRY, f"the adapter failed: {type(error).__name__}: {error}".rstrip(": "))
            outcomes = [failed] * len(works)
        took = asyncio.get_running_loop().time() - began
        self._mean += SMOOTHING * (took - self._mean)
        for outcome in outcomes:
            self._observe(outcome.verdict, took)
        return [replace(outcome, took=took) for outcome in outcomes]

    async def _deliver(self, works: list[Work]) -> list[Outcome]:
        """Raises TypeError or ValueError for an answer that is none."""
        if self._target.batch == 1:
            outcomes = [await self._adapter.deliver(works[0])]
        else:
            assert isinstance(self._adapter, BatchAdapter)
            outcomes = await self._adapter.deliver_many(works)
        if len(outcomes) != len(works):
            raise ValueError(f"it answered {len(works)} commands with {len(outcomes)} outcomes")
        for outcome in outcomes:
            if not isinstance(outcome, Outcome):
                raise TypeError(f"it answered with {type(outcome).__name__} instead of an Outcome")
        return outcomes
