"""Group commit: what concurrent requests append goes to the log as one call.

HTTP handlers call `events` and `sequenced` on the event loop; at most one append runs at a time, in a thread, and what
arrives meanwhile goes with the next. So the cost of making an append durable is shared by everybody who waits for it.
The queue is bounded in events; a full one is answered with `LogFull`, as a full log is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from streams.event import Event
from streams.keys import partition_of
from streams.log import Append, Appended, Log, LogFull
from streams.position import Position

MOST_EVENTS = 10_000
"""Events of one append: what one transaction should hold at most, about."""


class _Request(NamedTuple):
    """What one request appends, and who waits for it."""

    appends: list[Append]
    events: int
    answer: asyncio.Future[list[Appended]]


class Appends:
    """One per server, on one event loop. `close` waits for what is on its way."""

    def __init__(self, log: Log, most_waiting: int) -> None:
        self._log = log
        self._most_waiting = most_waiting
        self._waiting: list[_Request] = []
        self._count = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="append")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Events that wait for an append."""
        return self._count

    async def events(self, events: Sequence[Event]) -> list[Position]:
        """Appends each event to the partition of its key; positions in the order given. Raises what Log.append
        raises."""
        generation, partitions = self._log.info.generation, self._log.info.partitions
        if len(events) == 1:
            partition = partition_of(events[0].key, partitions)
            (answer,) = await self.sequenced([Append(partition, events)])
            return [Position(generation, partition, answer.offset)]
        places: dict[int, list[int]] = {}
        for place, event in enumerate(events):
            places.setdefault(partition_of(event.key, partitions), []).append(place)
        answers = await self.sequenced(
            [Append(partition, [events[place] for place in there]) for partition, there in places.items()]
        )
        positions: list[Position] = [Position(generation, 0, 0)] * len(events)
        for (partition, there), answer in zip(places.items(), answers, strict=True):
            first = answer.offset - len(there) + 1
            for number, place in enumerate(there):
                positions[place] = Position(generation, partition, first + number)
        return positions

    async def sequenced(self, appends: list[Append]) -> list[Appended]:
        """One answer for each. Raises what Log.append raises, and LogFull when too much is waiting."""
        events = sum(len(append.events) for append in appends)
        if not events:
            return [Appended(0, 0) for _ in appends]
        if self._count and self._count + events > self._most_waiting:
            raise LogFull(f"{self._count:,} events wait for their append", 1.0)
        answer: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(appends, events, answer))
        self._count += events
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        return await answer

    async def close(self) -> None:
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def _drain(self) -> None:
        """Ends when nothing waits, so that a failure of it can never leave later requests without an answer."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group = self._next()
                outcomes = await loop.run_in_executor(self._thread, self._append, group)
                for request, outcome in zip(group, outcomes, strict=True):
                    self._count -= request.events
                    if request.answer.cancelled():
                        continue
                    if isinstance(outcome, BaseException):
                        request.answer.set_exception(outcome)
                    else:
                        request.answer.set_result(outcome)
        finally:
            self._task = None

    def _next(self) -> list[_Request]:
        events = taken = 0
        while taken < len(self._waiting) and (taken == 0 or events + self._waiting[taken].events <= MOST_EVENTS):
            events += self._waiting[taken].events
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    def _append(self, group: list[_Request]) -> list[list[Appended] | Exception]:
        """In the thread. If the whole group cannot be appended because a log is full, each request is tried alone: one
        full partition is no reason to refuse the others."""
        try:
            return list(self._merged(group))
        except LogFull as error:
            if len(group) == 1:
                return [error]
            return [outcome for request in group for outcome in self._append([request])]
        except Exception as error:  # handed to every request that waits
            return [error for _ in group]

    def _merged(self, group: list[_Request]) -> list[list[Appended]]:
        """Live events of all requests to one partition are one append, so one entry of the log."""
        merged: dict[int, list[Event]] = {}
        appends: list[Append] = []
        places: list[list[tuple[int, int]]] = []
        """For each request, of each of its appends: (place among the appends, events behind it in the merged one)."""
        live: dict[int, int] = {}
        for request in group:
            mine: list[tuple[int, int]] = []
            for append in request.appends:
                if append.producer:
                    mine.append((len(appends), 0))
                    appends.append(append)
                    continue
                if append.partition not in live:
                    live[append.partition] = len(appends)
                    merged[append.partition] = []
                    appends.append(Append(append.partition, merged[append.partition]))
                merged[append.partition].extend(append.events)
                mine.append((live[append.partition], len(merged[append.partition])))
            places.append(mine)
        answers = self._log.append(appends)
        outcomes: list[list[Appended]] = []
        for request, mine in zip(group, places, strict=True):
            outcome: list[Appended] = []
            for append, (place, upto) in zip(request.appends, mine, strict=True):
                answer = answers[place]
                if append.producer:
                    outcome.append(answer)
                else:
                    last = answer.offset - (len(merged[append.partition]) - upto)
                    outcome.append(Appended(last, len(append.events)))
            outcomes.append(outcome)
        return outcomes
