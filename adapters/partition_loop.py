"""Runs the turns of one partition: waits until there is a reason for one, lets a thread do it, and goes on.

While a turn waits for the disk, answers and wishes gather, and the next turn commits them together. Everything here
happens in the event loop's thread but the turn itself. Errors are reported, waited out and tried again; being fenced
ends the loop, because the partition is somebody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from adapters.errors import FencedError
from adapters.processor import Delivery
from adapters.turn import Ack, Turn, Want
from adapters.work import Work
from streams.state import NEVER

LONGEST_SLEEP = 60.0
"""Seconds. The wall clock may be set while we wait for a moment of it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds."""

    least: float = 0.02
    """Between two turns, so that a busy partition makes fewer and larger commits."""
    first_retry: float = 0.1
    last_retry: float = 5.0


class Watcher(Protocol):
    """What a loop tells (`desk.py`)."""

    def claim(self, loop: PartitionLoop, everything: bool) -> list[Want]: ...

    def settle(self, loop: PartitionLoop, wants: Sequence[Want], works: Sequence[Work]) -> None: ...

    def turned(self, partition: int, turn: Turn) -> None: ...

    def failed(self, partition: int, error: Exception) -> None: ...


class PartitionLoop:
    def __init__(
        self,
        partition: int,
        delivery: Delivery,
        watcher: Watcher,
        threads: Executor,
        now: Callable[[], int],
        pace: Pace,
    ) -> None:
        self.partition = partition
        self.ready: frozenset[str] = frozenset()
        """Targets that had more to do at the end of the last turn."""
        self.fenced = False
        """Whether it ended because somebody else owns the partition."""
        self.open = True
        """Whether more is leased, and what is leased may still be sent."""
        self._delivery = delivery
        self._watcher = watcher
        self._threads = threads
        self._now = now
        self._pace = pace
        self._wake = asyncio.Event()
        self._news = True
        self._acks: list[Ack] = []
        self._waiting: dict[Ack, asyncio.Future[bool | None]] = {}
        self._closing = False
        self._over = False

    def notify(self) -> None:
        """There are new outputs."""
        self._news = True
        self._wake.set()

    def wake(self) -> None:
        """There is demand for something that is ready."""
        self._wake.set()

    def acknowledge(self, ack: Ack) -> asyncio.Future[bool | None]:
        """As `WorkSource`; what became of the command is in `ack` then."""
        answer: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        if self._over:
            answer.set_result(None)
            return answer
        self._acks.append(ack)
        self._waiting[ack] = answer
        self._wake.set()
        return answer

    def close(self) -> None:
        """No more is leased; `run` ends when what was acknowledged is stored."""
        self.open = False
        self._closing = True
        self._wake.set()

    # -- the loop

    async def run(self) -> None:
        next_at, retry = 0, self._pace.first_retry
        try:
            while not (self._closing and not self._waiting):
                await self._reason(next_at)
                everything = self._news or self._now() >= next_at
                wants = self._watcher.claim(self, everything) if self.open else []
                if not (everything or wants or self._acks):
                    continue
                try:
                    turn = await self._turn(wants)
                except FencedError:
                    self.fenced = True
                    return
                except Exception as error:
                    self._watcher.failed(self.partition, error)
                    self._news = True
                    await asyncio.sleep(retry)
                    retry = min(retry * 2, self._pace.last_retry)
                    continue
                next_at, retry = turn.next_at, self._pace.first_retry
                self._news |= turn.more
                self._watcher.turned(self.partition, turn)
                await asyncio.sleep(self._pace.least)
        finally:
            self.open = False
            self._over = True
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_result(None)
            self._waiting.clear()

    async def _reason(self, next_at: int) -> None:
        if not self._news and not self._acks:
            left = LONGEST_SLEEP if next_at >= NEVER else min((next_at - self._now()) / 1e6, LONGEST_SLEEP)
            if left > 0:
                try:
                    async with asyncio.timeout(left):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        self._wake.clear()

    async def _turn(self, wants: Sequence[Want]) -> Turn:
        self._news = False
        works: list[Work] = []
        try:
            acks, self._acks = self._acks, []
            loop = asyncio.get_running_loop()
            turn = await loop.run_in_executor(self._threads, self._delivery.turn, self._now(), acks, wants)
            works = turn.works
            self.ready = turn.ready
            for ack, changed in turn.answers:
                answer = self._waiting.pop(ack)
                if not answer.done():
                    answer.set_result(changed)
            return turn
        finally:
            self._watcher.settle(self, wants, works)
