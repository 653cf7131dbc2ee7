"""The door as workers see it: any process answers, whoever delivers from the partition.

Work is asked for at all members that deliver: first what is there, at one after the other and beginning with another
one each time; then, if that is nothing, at all of them at once until one has some. What others find in the same moment
is given back. What a worker says goes to the member that has the partition now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from adapters.target import Target
from adapters.work import RETURNED, Outcome, Work
from orchestrator.door import tokens
from orchestrator.door.here import Here
from orchestrator.door.registry import Worker, together
from orchestrator.door.wire import NOT_HERE, Answer, Asked, Place, Said

MOST_WAITING: Final = 1_000
"""Requests for work at once."""
LOOK: Final = 5.0
"""Seconds that members are waited for, before it is looked who they are."""
TRIES: Final = 2
"""Of saying what became of a command, where its partition has just moved…"""
MOVED_WITHIN: Final = 1.0
"""…which is answered within so many seconds; what takes longer waits for a log or a sibling."""
REFUSED: Final = Answer(True)


class UnknownTargetError(Exception):
    """There is no such target; the text says what to do."""


class DeliveredHereError(Exception):
    """Servers deliver to the target themselves; the text says what to do."""


class TooManyWaitingError(Exception):
    """As many requests for work wait as there may be."""


class StoppingError(Exception):
    """The server stops, and gives out nothing more."""


class Settlement(NamedTuple):
    """What a worker says of a command, with the token that it was given."""

    id: str
    token: str
    outcome: Outcome


class Others(Protocol):
    """The siblings of this process (`siblings.py`)."""

    async def living(self) -> Sequence[Place]: ...

    async def owners(self, again: bool) -> Mapping[int, Place]:
        """Of partitions that siblings deliver from; `again`: what was known is old."""
        ...

    async def close(self) -> None: ...


class Alone:
    """Nobody else has the log."""

    async def living(self) -> Sequence[Place]:
        return ()

    async def owners(self, again: bool) -> Mapping[int, Place]:
        return {}

    async def close(self) -> None:
        return


class Door:
    def __init__(self, here: Here, targets: Mapping[str, Target], partitions: int, others: Others) -> None:
        self._here = here
        self._targets = targets
        self._partitions = partitions
        self._others = others
        self._stopping = asyncio.Event()
        self._waiting = 0
        self._turn = 0

    async def lease(self, asked: Asked) -> list[Work]:
        """Raises UnknownTargetError, DeliveredHereError, TooManyWaitingError, StoppingError, and what reading the log
        raises."""
        self._check(asked.target)
        if self._stopping.is_set():
            raise StoppingError("the server stops: ask again, over another connection")
        if self._waiting >= MOST_WAITING:
            raise TooManyWaitingError(f"{MOST_WAITING:,} requests for work wait, as many as may: try again later")
        self._waiting += 1
        try:
            until = asyncio.get_running_loop().time() + asked.wait
            found = await self._at_once(asked)
            while not found and (left := until - asyncio.get_running_loop().time()) > 0 and not self._stopping.is_set():
                found = await self._wait(asked._replace(wait=min(left, LOOK)))
            return found
        finally:
            self._waiting -= 1

    async def settle(self, said: Sequence[Settlement], worker: str = "") -> list[Answer]:
        """In the same order. Said again with the same token, it is answered as before. Raises what reading the log
        raises."""
        answers = [REFUSED] * len(said)
        open: dict[int, Said] = {}
        for number, (id, token, outcome) in enumerate(said):
            work = tokens.read(id, token)
            if work is not None and work.partition < self._partitions:
                answers[number], open[number] = NOT_HERE, Said(work, outcome, worker)
        clock = asyncio.get_running_loop().time
        began = clock()
        for tried in range(TRIES):
            places = await self._places({each.work.partition for each in open.values()}, again=tried > 0)
            told = await asyncio.gather(*(self._tell(place, open, places) for place in set(places.values())))
            for found in told:
                for number, answer in found.items():
                    answers[number] = answer
                    if answer.known:
                        del open[number]
            if not open or clock() - began > MOVED_WITHIN:
                break
        return answers

    async def give_back(self, works: Sequence[Work]) -> None:
        """What nobody was there to take."""
        for place, mine in await self._whose(works):
            await place.settle([Said(work, RETURNED) for work in mine])

    async def workers(self) -> list[Worker]:
        """All that any process of the log knows of, by name. Raises what reading the log raises."""
        places: list[Place] = [self._here, *await self._others.living()]
        return together(await asyncio.gather(*(place.workers() for place in places)))

    async def stop(self) -> None:
        """Nobody waits for work any more."""
        self._stopping.set()
        self._here.stop()

    async def close(self) -> None:
        await self._others.close()

    # -- inside

    def _check(self, target: str) -> None:
        found = self._targets.get(target)
        if found is None:
            raise UnknownTargetError(f"there is no target `{target[:80]}`: declare it in the targets file and restart")
        if found.open is not None:
            raise DeliveredHereError(
                f"servers deliver to target `{target}` themselves: give it `deliver: workers` and restart"
            )

    async def _at_once(self, asked: Asked) -> list[Work]:
        places: list[Place] = [self._here, *await self._others.living()]
        self._turn += 1
        first = self._turn % len(places)
        found: list[Work] = []
        try:
            for place in places[first:] + places[:first]:
                found += await place.lease(asked._replace(limit=asked.limit - len(found), wait=0.0))
                if len(found) >= asked.limit:
                    break
        except BaseException:
            await self.give_back(found)
            raise
        return found

    async def _wait(self, asked: Asked) -> list[Work]:
        """What the first that has some gives."""
        places: list[Place] = [self._here, *await self._others.living()]
        stop = asyncio.create_task(self._stopping.wait())
        tasks = [asyncio.create_task(place.lease(asked)) for place in places]
        pending: set[asyncio.Task[Any]] = {stop, *tasks}
        try:
            while len(pending) > 1 and not stop.done() and not any(_found(task) for task in tasks):
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            await self._end([*tasks, stop])
            found = [work for task in tasks for work in _found(task)]
            if found[asked.limit :]:
                await self.give_back(found[asked.limit :])
        except asyncio.CancelledError:
            await self._end([*tasks, stop])
            await self.give_back([work for task in tasks for work in _found(task)])
            raise
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None and not found:
                raise error
        return found[: asked.limit]

    async def _end(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _places(self, partitions: set[int], *, again: bool) -> dict[int, Place]:
        here = set(self._here.partitions) & partitions
        found: dict[int, Place] = dict.fromkeys(here, self._here)
        if elsewhere := partitions - here:
            owners = await self._others.owners(again)
            found |= {partition: owners[partition] for partition in elsewhere if partition in owners}
        return found

    async def _tell(self, place: Place, said: Mapping[int, Said], places: Mapping[int, Place]) -> dict[int, Answer]:
        mine = {number: each for number, each in said.items() if places.get(each.work.partition) is place}
        return dict(zip(mine, await place.settle(list(mine.values())), strict=True))

    async def _whose(self, works: Sequence[Work]) -> list[tuple[Place, list[Work]]]:
        places = await self._places({work.partition for work in works}, again=False)
        found: dict[Place, list[Work]] = {}
        for work in works:
            if (place := places.get(work.partition)) is not None:
                found.setdefault(place, []).append(work)
        return list(found.items())


def _found(task: asyncio.Task[list[Work]]) -> list[Work]:
    done = task.done() and not task.cancelled() and task.exception() is None
    return task.result() if done else []
