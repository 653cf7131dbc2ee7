"""The part of the door that this process has: the partitions it delivers from. In one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from adapters.engine import Engine
from adapters.turn import Ack
from adapters.work import RETURNED, Verdict, Work
from orchestrator.door.registry import Registry, Worker
from orchestrator.door.wire import NOT_HERE, Answer, Asked, Said

STORED_WITHIN: Final = 10.0
"""Seconds in which outcomes are stored, unless the log does not answer."""
LARGEST_ANSWER: Final = 8 << 20
"""Bytes of commands in one answer."""
ATTEMPTS: Final = frozenset((Verdict.DONE, Verdict.RETRY, Verdict.FINAL, Verdict.WAITING))


class Here:
    """`observed`: told (target, verdict, seconds) of each attempt. `lent`: what is given out for work that is leased,
    with headers for its target."""

    def __init__(
        self,
        delivery: Engine,
        registry: Registry,
        *,
        now: Callable[[], int],
        observed: Callable[[str, str, float], None],
        lent: Callable[[Work], Work] = lambda work: work,
    ) -> None:
        self._delivery = delivery
        self._registry = registry
        self._now = now
        self._observed = observed
        self._lent = lent
        self._leasing: set[asyncio.Task[list[Work]]] = set()
        self._stopping = False

    @property
    def partitions(self) -> Sequence[int]:
        return self._delivery.partitions

    async def lease(self, asked: Asked) -> list[Work]:
        """Nothing once it stops. Raises DeliveryError if there is no such target."""
        if self._stopping:
            return []
        self._registry.asked(asked.worker, asked.target)
        task = asyncio.create_task(self._delivery.lease(asked.target, asked.limit, asked.ttl, asked.wait))
        self._leasing.add(task)
        try:
            works = self._within(await task)
            self._registry.leased(asked.worker, works)
            return [self._lent(work) for work in works]
        except asyncio.CancelledError:
            if task.done() and not task.cancelled() and task.exception() is None:
                self._give_back(task.result())
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
        return [self._answer(each, ack, future) for each, ack, future in zip(said, acks, stored, strict=True)]

    async def workers(self) -> list[Worker]:
        return self._registry.workers()

    def stop(self) -> None:
        """Nobody waits for work any more."""
        self._stopping = True
        for task in self._leasing:
            task.cancel()

    def _answer(self, said: Said, ack: Ack, stored: asyncio.Future[bool | None]) -> Answer:
        if not stored.done() or (changed := stored.result()) is None:
            return NOT_HERE
        if changed and ack.told is not None:
            self._registry.settled(said.worker, ack.work, ack.outcome, ack.told.deadline)
            if ack.outcome.verdict in ATTEMPTS:
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
                self._give_back(works[number:])
                return works[:number]
        return works

    def _give_back(self, works: Sequence[Work]) -> None:
        for work in works:
            _ = self._delivery.acknowledge(Ack(work, RETURNED))
