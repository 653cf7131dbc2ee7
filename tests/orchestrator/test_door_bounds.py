"""The door over real engines: what is asked for is bounded, and what nobody is there to take is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from unittest.mock import patch

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from adapters.engine import Engine
from adapters.retry import RetryPolicy
from adapters.target import Target
from adapters.work import Work
from orchestrator.door import door as doors
from orchestrator.door import here as heres
from orchestrator.door.door import Alone, Door, Settlement, StoppingError, TooManyWaitingError
from orchestrator.door.here import Here
from orchestrator.door.registry import Registry, Worker
from orchestrator.door.siblings import Sibling
from orchestrator.door.tokens import write
from orchestrator.door.wire import NOT_HERE, Answer, Asked, Place, Said
from streams.backends.open import open_log
from streams.log import Log
from tests.adapters.delivering import DONE, decide, engine, entries, names, until
from tests.adapters.receiver import receiving
from tests.conformance.backends import Clock

POLICE = Target("police", "worker", None, retry=RetryPolicy(initial=0.01))
ASKED = Asked("police", 25, 30.0, 0.0, "w")


class Neighbour:
    """The other of two processes, as siblings know each other; without the network between them."""

    def __init__(self) -> None:
        self.here: Place | None = None
        self.partitions: Sequence[int] = ()

    async def living(self) -> Sequence[Place]:
        return [self.here] if self.here is not None else []

    async def owners(self, again: bool) -> Mapping[int, Place]:
        return dict.fromkeys(self.partitions, self.here) if self.here is not None else {}

    async def close(self) -> None:
        return


def here(delivery: Engine, clock: Clock) -> Here:
    return Here(delivery, Registry(clock, 60.0), now=clock, observed=lambda target, verdict, seconds: None)


@asynccontextmanager
async def opened(*ids: str) -> AsyncIterator[tuple[Door, Log]]:
    clock = Clock()
    log = open_log("memory://", partitions=1, now=clock)
    async with engine(log, POLICE, clock=clock, leases=[decide(log, *ids)]) as delivery:
        delivery.notify(0)
        await until(lambda: len(entries(log)) == len(ids))
        yield Door(here(delivery, clock), {"police": POLICE}, 1, Alone()), log
    log.close()


@asynccontextmanager
async def two(first: Sequence[str], second: Sequence[str]) -> AsyncIterator[tuple[Door, Log, Neighbour]]:
    """The door of one process that delivers from partition 0; another does from partition 1."""
    clock = Clock()
    log = open_log("memory://", partitions=2, now=clock)
    async with AsyncExitStack() as ends:
        neighbour = Neighbour()
        mine = await ends.enter_async_context(engine(log, POLICE, clock=clock, leases=[decide(log, *first)]))
        other = await ends.enter_async_context(
            engine(log, POLICE, clock=clock, leases=[decide(log, *second, partition=1)])
        )
        neighbour.here, neighbour.partitions = here(other, clock), [1]
        await until(lambda: len(entries(log)) == len(first) and len(entries(log, 1)) == len(second))
        yield Door(here(mine, clock), {"police": POLICE}, 2, neighbour), log, neighbour
    log.close()


def states(log: Log, partition: int = 0) -> list[str]:
    return sorted(entry.state.value for entry in entries(log, partition).values())


async def test_no_more_wait_than_may() -> None:
    async with opened() as (door, _):
        with patch.object(doors, "MOST_WAITING", 2):
            waiting = [asyncio.create_task(door.lease(ASKED._replace(wait=30.0))) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(TooManyWaitingError, match="2 requests for work wait"):
                await door.lease(ASKED)
            await door.stop()
            assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [[], []]


async def test_a_door_that_is_shut_gives_out_nothing_and_still_hears_what_was_done() -> None:
    async with opened("c1", "c2") as (door, log):
        works = await door.lease(ASKED._replace(limit=1))
        await door.stop()
        with pytest.raises(StoppingError, match="over another connection"):
            await door.lease(ASKED)
        (answer,) = await door.settle([Settlement(works[0].id, write(works[0]), DONE)])
        assert answer.told is not None
        assert states(log) == ["done", "pending"]


async def test_an_answer_is_no_larger_than_it_may_be_and_the_rest_is_given_back() -> None:
    async with opened(*names("c", 10)) as (door, log):
        with patch.object(heres, "LARGEST_ANSWER", 500):
            works = await door.lease(ASKED)
        assert 1 <= len(works) < 10
        assert sum(len(work.body) for work in works) <= 500
        await until(lambda: states(log) == ["in_flight"] * len(works) + ["pending"] * (10 - len(works)))
        with patch.object(heres, "LARGEST_ANSWER", 1):
            assert len(await door.lease(ASKED)) == 1  # one at least, or it would never go


async def test_who_gives_up_waiting_takes_nothing() -> None:
    async with opened("c1") as (door, log):
        await door.lease(ASKED)
        waiting = asyncio.create_task(door.lease(ASKED._replace(wait=30.0)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert states(log) == ["in_flight"]


class Slow:
    """A sibling that has nothing, and takes a while to be told that nobody waits any more."""

    def __init__(self) -> None:
        self.ends = asyncio.Event()

    async def lease(self, asked: Asked) -> list[Work]:
        try:
            await asyncio.sleep(asked.wait)
        finally:
            if asked.wait:
                self.ends.set()
                await asyncio.sleep(0.2)
        return []

    async def settle(self, said: list[Said]) -> list[Answer]:
        return [NOT_HERE] * len(said)

    async def workers(self) -> list[Worker]:
        return []


async def test_who_goes_away_while_others_are_told_that_something_was_found_takes_nothing() -> None:
    async with two(["a1"], []) as (door, log, neighbour):
        (first,) = await door.lease(ASKED)
        neighbour.here = slow = Slow()
        waiting = asyncio.create_task(door.lease(ASKED._replace(wait=30.0)))
        await asyncio.sleep(0.05)
        await door.give_back([first])
        await asyncio.wait_for(slow.ends.wait(), 5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await until(lambda: states(log) == ["pending"])


async def test_one_request_takes_what_several_have_and_no_more_than_it_asked_for() -> None:
    async with two(names("a", 10), names("b", 10)) as (door, log, _):
        works = await door.lease(ASKED._replace(limit=15))
        assert (len(works), len({work.partition for work in works})) == (15, 2)
        assert (states(log) + states(log, 1)).count("in_flight") == 15
        said = [Settlement(work.id, write(work), DONE) for work in works]
        assert all(answer.told is not None for answer in await door.settle(said))
        assert (states(log) + states(log, 1)).count("done") == 15


async def test_of_what_two_find_at_once_what_is_too_much_is_given_back() -> None:
    async with two(["a1"], ["b1"]) as (door, log, _):
        first = await door.lease(ASKED._replace(limit=2))
        assert len(first) == 2
        waiting = asyncio.create_task(door.lease(ASKED._replace(limit=1, wait=30.0)))
        await asyncio.sleep(0.05)
        await door.give_back(first)
        (work,) = await asyncio.wait_for(waiting, 5)
        await until(lambda: sorted(states(log) + states(log, 1)) == ["in_flight", "pending"])
        assert work.attempt == 1


async def test_of_a_partition_that_nobody_delivers_from_nothing_is_known() -> None:
    async with two(["a1"], ["b1"]) as (door, _, neighbour):
        works = await door.lease(ASKED._replace(limit=2))
        neighbour.partitions = ()
        said = [Settlement(work.id, write(work), DONE) for work in works]
        known = {work.partition: answer.known for work, answer in zip(works, await door.settle(said), strict=True)}
        assert known == {0: True, 1: False}


async def test_a_sibling_that_refuses_is_told_of_without_its_secret() -> None:
    async with receiving() as receiver, ClientSession() as session:
        receiver.answer = lambda number, request: web.Response(status=400)
        with capture_logs() as logged:
            assert await Sibling(session, f"{receiver.url.rstrip('/')}/hush", set()).workers() == []
    assert [each["error"] for each in logged] == ["ClientResponseError: HTTP 400 Bad Request"]
