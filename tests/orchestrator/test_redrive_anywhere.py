"""Parked commands are redriven through any process: one that only has the log, while others evaluate and deliver."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.engine import Engine
from adapters.errors import UnknownCommandError, WrongStateError
from adapters.work import Outcome, Verdict, Work
from orchestrator.asks import Asks, NotYetError
from streams.backends.open import open_log
from streams.event import REDRIVEN
from streams.keys import partition_of
from streams.log import DELIVERY, Log
from tests.adapters.delivering import DONE, Adapter, engine, states, told, until
from tests.agent.running import Running, event
from tests.conformance.backends import Clock, owned
from tests.orchestrator.serving import api
from tests.rules.compile import building as build

KEYS = [f"k{number}" for number in range(12)]


class World:
    """Evaluation by hand, and delivery whose target refuses everything but what is for key `good`."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self.log = log
        self.clock = clock
        rules = build.compiled(build.rule("tell", "paid", build.command(to="police")))
        self.running = Running(log, rules, clock).activate()
        self.police = Adapter(self._refuse)
        self.delivery: Engine | None = None

    async def _refuse(self, work: Work) -> Outcome:
        return DONE if b'"key":"good"' in work.body else Outcome(Verdict.FINAL, "HTTP 400")

    def settle(self) -> None:
        """Evaluates what there is, and lets delivery know."""
        self.running.settle()
        if self.delivery is not None:
            for partition in range(self.log.info.partitions):
                self.delivery.notify(partition)

    def states(self) -> dict[str, str]:
        """By key."""
        found = {}
        ids = {command.id: command.key for command in self.running.commands()}
        for partition in range(self.log.info.partitions):
            found |= {ids[id]: state for id, state in states(self.log, partition).items()}
        return found

    @property
    def ids(self) -> dict[str, str]:
        return {command.key: command.id for command in self.running.commands()}

    def asked(self) -> list[tuple[int, list[str]]]:
        """(partition, ids) of each event that asks."""
        return [
            (partition, each.payload()["ids"])
            for partition in range(self.log.info.partitions)
            for each in self.log.read(partition, 0, 10_000).events
            if each.type == REDRIVEN
        ]


@asynccontextmanager
async def parked() -> AsyncIterator[World]:
    clock = Clock()
    log = open_log("memory://", partitions=3, now=clock)
    world = World(log, clock)
    world.running.publish(*(event("paid", key) for key in [*KEYS, "good"]))
    leases = [owned(log, partition, role=DELIVERY) for partition in range(3)]
    async with engine(log, world.police.target(), clock=clock, leases=leases) as world.delivery:
        world.settle()
        await until(lambda: sorted(world.states().values()) == ["done"] + ["parked"] * len(KEYS))
        yield world


async def test_commands_of_all_partitions_are_redriven_by_who_owns_none() -> None:
    async with parked() as world:
        ids = world.ids
        world.police.act = None
        asking = asyncio.create_task(Asks(world.log, {"police"}).redrive([ids[key] for key in [*KEYS, KEYS[0]]]))
        await until(lambda: len(world.asked()) == 3)
        assert not asking.done()
        world.settle()
        await asyncio.wait_for(asking, 5)
        await until(lambda: set(world.states().values()) == {"done"})
        assert sorted(id for _, asked in world.asked() for id in asked) == sorted(ids[key] for key in KEYS)
        for partition, asked in world.asked():
            assert all(partition_of(key, 3) == partition for key in KEYS if ids[key] in asked)
            results = [id for what, id in told(world.log, partition) if what == "succeeded"]
            assert len(results) == len(set(results))


async def test_nothing_is_asked_if_one_of_them_is_not_parked_or_unknown() -> None:
    async with parked() as world:
        redrive, ids = Asks(world.log, {"police"}).redrive, world.ids
        for wrong, error, said in (
            ([ids["k0"], ids["good"]], WrongStateError, "is done: only parked commands are redriven"),
            ([ids["k0"], "none"], UnknownCommandError, "there is no command none"),
        ):
            with pytest.raises(error, match=said):
                await redrive(wrong)
        with pytest.raises(WrongStateError, match="there is no target `police`: declare it"):
            await Asks(world.log, {"bank"}).redrive([ids["k0"]])
        assert world.asked() == []


async def test_where_nobody_evaluates_it_is_said_and_done_later() -> None:
    async with parked() as world:
        id = world.ids["k0"]
        world.police.act = None
        with pytest.raises(NotYetError, match=f"delivery of partitions {partition_of('k0', 3)} did not come to it"):
            await Asks(world.log, {"police"}, patience=0.02).redrive([id])
        assert world.states()["k0"] == "parked"
        world.settle()
        await until(lambda: world.states()["k0"] == "done")


async def test_two_who_ask_at_once_redrive_it_once() -> None:
    async with parked() as world:
        id, attempts = world.ids["k0"], len(world.police.works)
        asking = [asyncio.create_task(Asks(world.log, {"police"}).redrive([id])) for _ in range(2)]
        await until(lambda: len(world.asked()) == 2)
        world.settle()
        await asyncio.wait_for(asyncio.gather(*asking), 5)
        await until(lambda: told(world.log, partition_of("k0", 3)).count(("parked", id)) == 2)
        assert len(world.police.works) == attempts + 1


async def test_the_api_says_what_became_of_it() -> None:
    async with parked() as world, api(world.log, targets={"police"}) as (client, _):
        ids = world.ids
        for wrong, status in (("none", 404), (ids["good"], 409)):
            answer = await client.post("/v1/commands/redrive", json={"ids": [ids["k1"], wrong]})
            assert (answer.status, (await answer.json())["id"]) == (status, wrong)
        began = time.monotonic()
        answer = await client.post("/v1/commands/redrive", json={"ids": [ids["k1"]]})
        assert (answer.status, answer.headers["Retry-After"]) == (504, "60")
        assert "will be done" in (await answer.json())["detail"]
        assert time.monotonic() - began < 5
        asking = asyncio.create_task(client.post("/v1/commands/redrive", json={"ids": [ids["k2"], ids["k2"]]}))
        await until(lambda: len(world.asked()) == 2)
        world.settle()
        answer = await asking
        assert (answer.status, await answer.json()) == (202, {"redriven": 1})
