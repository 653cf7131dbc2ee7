"""The part of the door that this process has: the partitions it delivers from. In one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from adapters.engine import Engine
from adapters.turn import Ack, Told
from adapters.work import RETURNED, Outcome, Verdict, Work

STORED_WITHIN: Final = 10.0
"""Seconds in which outcomes are stored, unless the log does not answer."""
LARGEST_ANSWER: Final = 8 << 20
"""Bytes of commands in one answer."""
ATTEMPTS: Final = frozenset((Verdict.DONE, Verdict.RETRY, Verdict.FINAL, Verdict.WAITING))


class Said(NamedTuple):
    """What a worker says of the command it holds."""

    work: Work
    outcome: Outcome


class Answer(NamedTuple):
    known: bool
    """Whether it was decided; if not, the partition is not here, or the log did not answer in time."""
    told: Told | None = None
    """What became of the command; None if it was refused."""


NOT_HERE: Final = Answer(False)


class Here:
    """`observed`: told (target, verdict, seconds) of each attempt."""

    def __init__(
        self, delivery: Engine, *, now: Callable[[], int], observed: Callable[[str, str, float], None]
    ) -> None:
        self._delivery = delivery
        self._now = now
        self._observed = observed
        self._leasing: set[asyncio.Task[list[Work]]] = set()
        self._stopping = False

    @property
    def waiting(self) -> int:
        """Requests for work."""
        return len(self._leasing)

    async def lease(self, target: str, limit: int, ttl: float, wait: float) -> list[Work]:
        """Nothing once it stops. Raises DeliveryError if there is no such target."""
        if self._stopping:
            return []
        task = asyncio.create_task(self._delivery.lease(target, limit, ttl, wait))
        self._leasing.add(task)
        try:
            return self._within(await task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is None or current.cancelling():
                raise
            return []  # `stop` ended it
        finally:
            self._leasing.discard(task)

    async def settle(self, said: Sequence[Said]) -> list[Answer]:
        """In the same order, when what is of partitions here is stored."""
        acks = [Ack(each.work, each.outcome, fenced=True) for each in said]
        stored = [self._delivery.acknowledge(ack) for ack in acks]
        if stored:
            await asyncio.wait(stored, timeout=STORED_WITHIN)
        return [self._answer(ack, future) for ack, future in zip(acks, stored, strict=True)]

    def give_back(self, works: Sequence[Work]) -> None:
        """What nobody was there to take."""
        for work in works:
            _ = self._delivery.acknowledge(Ack(work, RETURNED))

    def stop(self) -> None:
        """Nobody waits for work any more."""
        self._stopping = True
        for task in self._leasing:
            task.cancel()

    def _answer(self, ack: Ack, stored: asyncio.Future[bool | None]) -> Answer:
        if not stored.done() or (changed := stored.result()) is None:
            return NOT_HERE
        if changed and ack.told is not None and ack.outcome.verdict in ATTEMPTS:
            took = ack.outcome.took
            seconds = took if took is not None else max(0, self._now() - ack.work.leased_at) / 1e6
            self._observed(ack.told.target, ack.outcome.verdict.value, seconds)
        return Answer(True, ack.told)

    def _within(self, works: list[Work]) -> list[Work]:
        """At least one, and no more than fit into an answer."""
        size = 0
        for number, work in enumerate(works):
            size += len(work.body) + len(work.progress)
            if number and size > LARGEST_ANSWER:
                self.give_back(works[number:])
                return works[:number]
        return works
