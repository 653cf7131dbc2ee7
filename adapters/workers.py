"""The workers of one target, in process: lease, deliver, acknowledge, as many at once as the target bears.

Work is leased ahead of what is being sent, about a quarter of a second's worth at the pace of late, so that a commit's
wait is not felt and a slow target does not hold what it cannot send. It waits in one line, from which each sender takes
what comes next; what waits too long is given back untried. Of a target that takes batches, a sender takes of those that
wait as many as go into one; nothing waits for a batch to be full. One event loop; nothing is shared between targets.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan
from types import NoneType
from typing import Any, Final

from msgspec.structs import replace

from adapters.adapter import Adapter, BatchAdapter
from adapters.target import Target
from adapters.work import BROKEN_OFF, RETURNED, Outcome, Verdict, Work, WorkSource

AHEAD: Final = 0.25
"""Seconds of work to hold beside what is being sent."""
MOST_AHEAD: Final = 256
MOST_HELD: Final = 10_000
"""Commands in batches, however many the target would bear; beside those ahead."""
MOST_BYTES: Final = 1 << 20
"""Of commands in a batch of several."""
WAIT: Final = 30.0
"""Seconds that one request for work waits."""
LOOK: Final = 0.5
"""Seconds between two looks: at what waits, for leases that leave no time any more, and at attempts that are late."""
SMOOTHING: Final = 0.2
SLACK: Final = 1.0
"""Seconds that an attempt may take beyond its timeout, which the adapter keeps itself, before the next look ends it."""
BREAKING_OFF: Final = 1.0
_FIELDS: Final = (("verdict", Verdict), ("reason", str), ("status", str), ("retry_after", (float, int, NoneType)))
"""Of an outcome, and what they may be."""


@dataclass(eq=False, slots=True)
class _Sender:
    """What one task is sending now: nothing before it takes its first."""

    works: list[Work]
    over: asyncio.Event | None = None
    """Set when these are acknowledged, where somebody waits for it."""
    until: float = inf
    """By the loop's clock, when the attempt is ended."""
    late: bool = False
    """Whether it was."""


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
        self._slots = target.concurrency
        """Attempts at once."""
        self._line: deque[Work] = deque()
        """In the order of leases."""
        self._senders: dict[asyncio.Task[None], _Sender] = {}
        """As many as have something to do, at most as many as the target bears."""
        self._held = 0
        """In line, being sent, or acknowledged and not stored yet."""
        self._room = asyncio.Event()
        self._look: asyncio.TimerHandle | None = None
        self._mean = target.timeout
        """Seconds that an attempt took of late. Begins as if it were slow: what is leased ahead grows by success."""
        self._ttl = 2 * target.timeout + 30.0

    def share(self, share: float) -> None:
        """What part of the target's concurrency this process may use, 0 to 1; one attempt at least."""
        self._slots = max(1, int(self._target.concurrency * share))
        self._room.set()
        self._send()

    async def run(self) -> None:
        """Until cancelled. Raises what leasing raises."""
        while True:
            while (room := (ahead := self._ahead()) - self._held) <= ahead // 4 and self._held:
                self._room.clear()
                await self._room.wait()
            works = await self._source.lease(self._target.name, max(room, 1), self._ttl, WAIT)
            self._held += len(works)
            self._line += works
            self._send()

    async def stop(self, partition: int | None, timeout: float) -> None:
        """Gives back what waits, finishes within `timeout` seconds what is being sent, breaks off the rest; of one
        partition, or (None) of all. Everything is acknowledged when it returns, though it may not be stored; but what
        an adapter does that does not heed being cancelled is left to itself after BREAKING_OFF seconds."""

        def mine(work: Work) -> bool:
            return partition is None or work.partition == partition

        self._give_back(mine)
        overs: dict[asyncio.Task[None], asyncio.Task[bool]] = {}
        """By who is sending."""
        for task, sender in self._senders.items():
            if any(map(mine, sender.works)):
                sender.over = sender.over or asyncio.Event()
                overs[task] = asyncio.create_task(sender.over.wait())
        if not overs:
            return
        _, late = await asyncio.wait(overs.values(), timeout=timeout)
        for task, over in overs.items():
            if over in late:
                task.cancel()
        if late:
            _, late = await asyncio.wait(late, timeout=BREAKING_OFF)
            for over in late:
                over.cancel()

    def _ahead(self) -> int:
        """How many to hold, those being sent included."""
        each = max(self._mean, 1e-4)
        bears = max(self._slots, min(self._slots * self._target.batch, MOST_HELD))
        return bears + min(int(bears * AHEAD / each), MOST_AHEAD)

    # -- the line

    def _send(self) -> None:
        """As many senders as there is work for."""
        for _ in range(min(len(self._line), self._slots - len(self._senders))):
            sender = _Sender([])
            task = asyncio.create_task(self._keep_sending(sender))
            self._senders[task] = sender
            task.add_done_callback(self._ended)
        if self._senders and self._look is None:
            self._look = asyncio.get_running_loop().call_later(LOOK, self._look_for_late)

    def _look_for_late(self) -> None:
        """One timer for all: one for each attempt would cost more than the rest of handing it over."""
        self._look = None
        now = asyncio.get_running_loop().time()
        for task, sender in self._senders.items():
            if sender.until <= now and not sender.late:
                sender.late = True
                task.cancel()
        if self._line:
            self._give_back(lambda work: self._left(work) <= 0)
        self._send()

    def _give_back(self, which: Callable[[Work], bool]) -> None:
        line, self._line = self._line, deque()
        for work in line:
            if which(work):
                self._acknowledge(work, RETURNED)
            else:
                self._line.append(work)

    def _acknowledge(self, work: Work, outcome: Outcome) -> None:
        self._source.acknowledge(work, outcome).add_done_callback(self._stored)

    def _stored(self, answer: asyncio.Future[bool | None]) -> None:
        self._held -= 1
        self._room.set()
        if not answer.cancelled() and (error := answer.exception()) is not None:
            assert isinstance(error, Exception), error
            self._failed(error)

    # -- sending

    async def _keep_sending(self, sender: _Sender) -> None:
        """What waits, one attempt after the other, until nothing does."""
        while self._line and len(self._senders) <= self._slots:
            sender.works = [work for work in self._next() if self._may_be_sent(work)]
            outcomes = [BROKEN_OFF] * len(sender.works)  # unless the attempt comes to its end
            try:
                if sender.works:
                    outcomes = await self._attempt(sender)
            finally:
                for work, outcome in zip(sender.works, outcomes, strict=True):
                    self._acknowledge(work, outcome)
                sender.works = []
                if sender.over is not None:
                    sender.over.set()
                    sender.over = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._senders[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, Exception), error
            self._failed(error)
        self._send()

    def _next(self) -> list[Work]:
        """The first in line; of a target that takes batches, with others that have the same time to be sent in."""
        first = self._line.popleft()
        if self._target.batch == 1:
            return [first]
        found, left = [first], deque[Work]()
        size = len(first.body)
        while self._line and len(found) < self._target.batch:
            work = self._line.popleft()
            if work.timeout == first.timeout and size + len(work.body) <= MOST_BYTES:
                found.append(work)
                size += len(work.body)
            else:
                left.append(work)
        self._line.extendleft(reversed(left))
        return found

    def _may_be_sent(self, work: Work) -> bool:
        """Gives it back if not: its lease could run out while it is sent, or its partition is not ours any more."""
        if self._left(work) > 0 and self._holds(work):
            return True
        self._acknowledge(work, RETURNED)
        return False

    def _limit(self, work: Work) -> float:
        """Seconds that the adapter has for it."""
        return work.timeout or self._target.timeout

    def _left(self, work: Work) -> float:
        """Seconds until its lease leaves no time to send it any more."""
        return (work.deadline - self._now()) / 1e6 - self._limit(work) - SLACK

    async def _attempt(self, sender: _Sender) -> list[Outcome]:
        works, time = sender.works, asyncio.get_running_loop().time
        began = time()
        limit = self._limit(works[0])
        sender.until, sender.late = began + limit + SLACK, False
        try:
            outcomes = await self._deliver(works)
        except asyncio.CancelledError:
            if _asked_to_end(sender):
                raise  # also, or only, because of somebody else
            if sender.late:
                outcomes = self._failure(TimeoutError(f"no end within {limit + SLACK:g} s"), works)
            else:
                outcomes = self._failure(RuntimeError("it was cancelled, though nobody asked for that"), works)
        except Exception as error:
            _asked_to_end(sender)
            outcomes = self._failure(error, works)
        else:
            if sender.late:
                _asked_to_end(sender)
        finally:
            sender.until = inf
        took = time() - began
        self._mean += SMOOTHING * (took - self._mean)
        for outcome in outcomes:
            self._observe(outcome.verdict, took)
        return [replace(outcome, took=took) for outcome in outcomes]

    def _failure(self, error: Exception, works: list[Work]) -> list[Outcome]:
        self._failed(error)
        failed = Outcome(Verdict.RETRY, f"the adapter failed: {type(error).__name__}: {error}".rstrip(": "))
        return [failed] * len(works)

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
            _check(outcome)
        return outcomes


def _check(outcome: Any) -> None:
    """Raises TypeError or ValueError for what could not be stored: it would fail the turn that is told of it, again
    and again, and hold up all of its partition."""
    if not isinstance(outcome, Outcome):
        raise TypeError(f"it answered with {type(outcome).__name__} instead of an Outcome")
    for name, is_a in _FIELDS:
        if not isinstance(value := getattr(outcome, name), is_a):
            raise TypeError(f"`{name}` of its Outcome is {type(value).__name__}")
    if outcome.retry_after is not None and isnan(outcome.retry_after):
        raise ValueError("`retry_after` of its Outcome is no number")
    if outcome.verdict is Verdict.HELD:
        raise ValueError("it answered with `held`, which is no outcome")


def _asked_to_end(sender: _Sender) -> bool:
    """Whether somebody asked this task to end. That its attempt is late asks for no more than an end of that, and is
    taken back."""
    task = asyncio.current_task()
    assert task is not None
    return (task.uncancel() if sender.late else task.cancelling()) > 0
