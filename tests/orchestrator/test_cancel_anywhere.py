"""Commands that wait or are parked are cancelled through any process, and never sent afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from adapters.errors import UnknownCommandError, WrongStateError
from adapters.requests import OTHER_STATES
from adapters.work import Outcome, Verdict, Work
from orchestrator.asks import Asks, NotYetError
from streams.event import RESULT
from streams.keys import partition_of
from tests.adapters.delivering import told, until
from tests.agent.running import event
from tests.orchestrator.serving import api
from tests.orchestrator.test_redrive_anywhere import KEYS, World, parked

AT = partition_of("late", 3)
T = TypeVar("T")
BUSY = Outcome(Verdict.RETRY, "busy", retry_after=60.0)


async def busy(work: Work) -> Outcome:
    return BUSY


async def decided(world: World, answer: Callable[[Work], Awaitable[Outcome]]) -> str:
    """One more command, of key `late`."""
    world.police.act = answer
    world.running.publish(event("paid", "late"))
    world.settle()
    return world.ids["late"]


async def asked(world: World, asking: Coroutine[Any, Any, T], *keys: str) -> asyncio.Task[T]:
    """It is in the log of the partitions of these keys, and nobody has evaluated it."""
    tails = {partition: world.log.tail(partition) for partition in {partition_of(key, 3) for key in keys}}
    task = asyncio.create_task(asking)
    await until(lambda: all(world.log.tail(partition) == tail + 1 for partition, tail in tails.items()))
    return task


def sent(world: World, id: str) -> int:
    return world.police.ids.count(id)


async def test_what_is_parked_is_cancelled_in_all_partitions_and_never_sent_again() -> None:
    async with parked() as world:
        ids = world.ids
        asks = Asks(world.log, ()).cancel([ids[key] for key in [*KEYS, KEYS[0]]], "a mistake")
        asking = await asked(world, asks, *KEYS)
        assert not asking.done()
        world.settle()
        assert await asyncio.wait_for(asking, 5) == len(KEYS)
        assert set(world.states().values()) == {"cancelled", "done"}
        with pytest.raises(WrongStateError, match="is cancelled: only parked commands are redriven"):
            await Asks(world.log, {"police"}).redrive([ids["k0"]])
        with pytest.raises(WrongStateError, match="is cancelled: pending, retrying, waiting and parked commands"):
            await Asks(world.log, ()).cancel([ids["k0"]], "again")
        world.settle()
        assert {sent(world, ids[key]) for key in KEYS} == {1}
        results = [
            each.payload()["reason"]
            for partition in range(3)
            for each in world.log.read(partition, 0, 1_000).events
            if each.kind == RESULT and each.type == "orchestrator.command.cancelled"
        ]
        assert results == ["a mistake"] * len(KEYS)


async def test_what_is_being_sent_is_refused_and_what_waits_for_its_next_attempt_is_not() -> None:
    async with parked() as world:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        id = await decided(world, lambda work: answer)
        await until(lambda: sent(world, id) == 1)
        with pytest.raises(WrongStateError, match="is in_flight: it is being sent; wait until that attempt has ended"):
            await Asks(world.log, ()).cancel([id], "a mistake")
        answer.set_result(BUSY)
        await until(lambda: world.states().get("late") == "retrying")
        asking = await asked(world, Asks(world.log, ()).cancel([id], "a mistake"), "late")
        world.settle()
        assert await asyncio.wait_for(asking, 5) == 1
        world.clock.advance(600)
        world.settle()
        await asyncio.sleep(0.05)
        assert (sent(world, id), world.states()["late"]) == (1, "cancelled")


async def test_what_was_sent_between_the_check_and_the_doing_is_not_counted() -> None:
    async with parked() as world:
        id = await decided(world, busy)
        await until(lambda: world.states().get("late") == "retrying")
        asking = await asked(world, Asks(world.log, ()).cancel([id, world.ids["k1"]], "too late"), "late", "k1")
        world.police.act = None
        world.clock.advance(600)
        assert world.delivery is not None
        world.delivery.notify(AT)
        await until(lambda: world.states().get("late") == "done")
        world.settle()
        assert await asyncio.wait_for(asking, 5) == 1
        assert (world.states()["k1"], world.states()["late"]) == ("cancelled", "done")
        assert ("cancelled", id) not in told(world.log, AT)


async def test_nothing_is_asked_if_one_of_them_is_done_or_unknown() -> None:
    async with parked() as world:
        ids = world.ids
        tails = [world.log.tail(partition) for partition in range(3)]
        with pytest.raises(WrongStateError, match=f"is done: {OTHER_STATES}"):
            await Asks(world.log, ()).cancel([ids["k0"], ids["good"]], "a mistake")
        with pytest.raises(UnknownCommandError, match="there is no command none"):
            await Asks(world.log, ()).cancel([ids["k0"], "none"], "a mistake")
        assert [world.log.tail(partition) for partition in range(3)] == tails


async def test_where_nobody_evaluates_it_is_said_and_done_later() -> None:
    async with parked() as world:
        id = world.ids["k0"]
        with pytest.raises(NotYetError, match=f"delivery of partitions {partition_of('k0', 3)} did not come to it"):
            await Asks(world.log, (), patience=0.02).cancel([id], "a mistake")
        assert world.states()["k0"] == "parked"
        world.settle()
        await until(lambda: world.states()["k0"] == "cancelled")


async def test_the_api_says_what_became_of_it() -> None:
    async with parked() as world, api(world.log) as (client, _):
        ids = world.ids
        for wrong, status in (("none", 404), (ids["good"], 409)):
            answer = await client.post("/v1/commands/cancel", json={"ids": [ids["k1"], wrong]})
            assert (answer.status, (await answer.json())["id"]) == (status, wrong)
        answer = await client.post("/v1/commands/cancel", json={"ids": [ids["k1"]], "reason": ""})
        assert (answer.status, (await answer.json())["field"]) == (400, "reason")
        partition = partition_of("k2", 3)
        tail = world.log.tail(partition)
        asks = client.post("/v1/commands/cancel", json={"ids": [ids["k2"], ids["k2"]]})
        asking = await asked(world, asks, "k2")
        world.settle()
        answer = await asking
        assert (answer.status, await answer.json()) == (202, {"cancelled": 1})
        (reason,) = {
            each.payload()["reason"]
            for each in world.log.read(partition, tail, 10).events
            if each.type == "orchestrator.command.cancelled"
        }
        assert reason == "cancelled by hand"


async def test_what_is_parked_expires_in_all_partitions_and_rules_are_told() -> None:
    async with parked() as world:
        ids = [world.ids[key] for key in KEYS]
        asking = await asked(world, Asks(world.log, ()).expire(ids, "too old"), *KEYS)
        world.settle()
        assert await asyncio.wait_for(asking, 5) == len(KEYS)
        assert set(world.states().values()) == {"expired", "done"}
        found = [each for partition in range(3) for each in told(world.log, partition)]
        assert sorted(id for what, id in found if what == "expired") == sorted(ids)
        with pytest.raises(WrongStateError, match="is expired: pending, retrying, waiting and parked commands can be"):
            await Asks(world.log, ()).expire(ids[:1], "again")
