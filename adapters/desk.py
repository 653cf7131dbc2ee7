"""Brings together who wants work and who has it: requests for leases, per target, and the loops of the partitions.

Workers ask (`WorkSource`); each partition's loop claims a part of what is asked for before its turn, and what the turn
grants goes to the requests, first come first served. A request is answered with the first that comes; what comes after
it lies ready for the next, for a moment. Demand is divided among partitions, so that one with a long
backlog does not take it all. Everything here happens in one event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.errors import DeliveryError
from adapters.partition_loop import PartitionLoop
from adapters.turn import Ack, Turn, Want
from adapters.work import RETURNED, Outcome, Work

SPARE: Final = 0.1
"""Seconds that granted work lies ready for somebody to ask, before it is given back."""


@dataclass(eq=False, slots=True)
class _Request:
    limit: int
    ttl: float
    outside: bool
    answer: asyncio.Future[list[Work]]


class Desk:
    """`turned` and `failed` are told of every turn, and of every one that raised. `batch`: what a partition may claim
    at least, so that the tail of a backlog does not come in single commands."""

    def __init__(
        self,
        targets: Container[str],
        turned: Callable[[int, Turn], None],
        failed: Callable[[int, Exception], None],
        batch: int,
    ) -> None:
        self._batch = batch
        self._targets = targets
        self.turned = turned
        self.failed = failed
        self.loops: dict[int, PartitionLoop] = {}
        self._requests: dict[str, deque[_Request]] = {}
        self._claimed: Counter[str] = Counter()
        self._spare: dict[str, deque[Work]] = {}

    # -- for workers

    async def lease(self, target: str, limit: int, ttl: float, wait: float, outside: bool = False) -> list[Work]:
        """As `WorkSource`. Where somebody else asked for longer leases at the same time, so are these. `outside`: for a
        worker elsewhere; all who ask for work of one target say the same."""
        if target not in self._targets:
            raise DeliveryError(f"there is no target `{target}`: declare it in the targets file and restart")
        if spare := self._spare.get(target):
            return [spare.popleft() for _ in range(min(limit, len(spare)))]
        request = _Request(limit, ttl, outside, asyncio.get_running_loop().create_future())
        self._requests.setdefault(target, deque()).append(request)
        self._call(target)
        try:
            await asyncio.wait((request.answer,), timeout=wait)
        except asyncio.CancelledError:
            if request.answer.done():
                for work in request.answer.result():
                    _ = self.acknowledge(work, RETURNED)
            raise
        finally:
            if not request.answer.done():
                self._requests[target].remove(request)
                request.answer.cancel()
        return [] if request.answer.cancelled() else request.answer.result()

    def acknowledge(self, work: Work, outcome: Outcome) -> asyncio.Future[bool | None]:
        return self.take(Ack(work, outcome))

    def take(self, ack: Ack) -> asyncio.Future[bool | None]:
        """The same; what became of the command is in `ack` then."""
        loop = self.loops.get(ack.work.partition)
        if loop is not None:
            return loop.acknowledge(ack)
        answer: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        answer.set_result(None)
        return answer

    def holds(self, work: Work) -> bool:
        """Whether the partition is still ours, so that its commands may be sent."""
        loop = self.loops.get(work.partition)
        return loop is not None and loop.open

    def withdraw(self, partition: int) -> None:
        """Gives back what lies ready of a partition."""
        for target, spare in self._spare.items():
            self._give_back(target, [work for work in spare if work.partition == partition])

    # -- for the loops of the partitions

    def claim(self, loop: PartitionLoop, everything: bool) -> list[Want]:
        """What this partition shall look for: of targets that it has ready, or of any (`everything`)."""
        wants = []
        for target, requests in self._requests.items():
            if requests and (everything or target in loop.ready) and (free := self._free(target)) > 0:
                limit = max(min(free, self._batch), -(-free // len(self.loops)))
                self._claimed[target] += limit
                ttl = max(request.ttl for request in requests)
                wants.append(Want(target, limit, ttl, requests[0].outside))
        return wants

    def settle(self, loop: PartitionLoop, wants: Sequence[Want], works: Sequence[Work]) -> None:
        for want in wants:
            self._claimed[want.target] -= want.limit
        granted: dict[str, deque[Work]] = {}
        for work in works:
            granted.setdefault(work.target, deque()).append(work)
        for target, found in granted.items():
            requests = self._requests[target]
            while found and requests:
                request = requests.popleft()
                request.answer.set_result([found.popleft() for _ in range(min(request.limit, len(found)))])
            if found:
                self._spare.setdefault(target, deque()).extend(found)
                asyncio.get_running_loop().call_later(SPARE, self._give_back, target, found)
        # Also what was asked for while the turn ran, when it was not known yet that this partition has some of it.
        for target in {*(want.target for want in wants), *(loop.ready & self._requests.keys())}:
            self._call(target)

    def _give_back(self, target: str, works: Iterable[Work]) -> None:
        spare = self._spare[target]
        for work in works:
            if work in spare:
                spare.remove(work)
                _ = self.acknowledge(work, RETURNED)

    def _free(self, target: str) -> int:
        return sum(request.limit for request in self._requests.get(target, ())) - self._claimed[target]

    def _call(self, target: str) -> None:
        """Wakes the partitions that have what is asked for."""
        if self._free(target) > 0:
            for loop in self.loops.values():
                if target in loop.ready:
                    loop.wake()
