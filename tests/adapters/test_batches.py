"""Of a target that takes batches, what waits together is sent together; every command has its own outcome."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import workers
from adapters.target import Target
from adapters.work import BROKEN_OFF, Outcome, Verdict, Work
from adapters.workers import Workers
from orchestrator.attempts import told as telling
from streams.log import Log
from tests.adapters.delivering import DONE, Adapter, decide, engine, entries, names, states, told, until
from tests.adapters.test_workers import NOW, Source, ended, works
from tests.conformance.backends import Clock

DeliverMany = Callable[[Sequence[Work]], Awaitable[Any]]


@dataclass(eq=False)
class Many(Adapter):
    """Remembers the batches."""

    act_on_many: DeliverMany | None = None
    batches: list[list[Work]] = field(default_factory=list)

    async def deliver(self, work: Work) -> Outcome:
        raise AssertionError("it takes batches")

    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        self.batches.append(list(works))
        self.works += works
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.act_on_many is None:
                return [DONE] * len(works)
            return await self.act_on_many(works)  # type: ignore[no-any-return]
        finally:
            self.at_once -= 1

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


def sending(source: Source, adapter: Many, **options: Any) -> Workers:
    def failed(error: Exception) -> None:
        raise AssertionError from error

    target = adapter.target(**{"timeout": 10.0, "batch": 10, "concurrency": 1} | options)
    return Workers(target, adapter, source, lambda: NOW, lambda work: True, lambda *_: None, failed)


async def answered(given: list[Work], adapter: Many, **options: Any) -> list[tuple[str, Outcome]]:
    """What becomes of these works, in order of acknowledgement."""
    source = Source(given)
    running = asyncio.create_task(sending(source, adapter, **options).run())
    await until(lambda: len(source.answers) == len(given))
    await ended(running)
    return source.answers


async def test_commands_of_all_partitions_are_delivered_once_in_batches(log: Log, clock: Clock) -> None:
    leases = [decide(log, *names(f"p{partition}-", 60), partition=partition) for partition in range(3)]
    police = Many()
    target = police.target(batch=25, concurrency=2)
    async with engine(log, telling(target), clock=clock, leases=leases) as delivery:
        await until(lambda: sum(len(told(log, partition)) for partition in range(3)) == 180)
        await until(lambda: delivery.counts["done|police"] == 180)
    assert Counter(police.ids) == Counter({name: 1 for p in range(3) for name in names(f"p{p}-", 60)})
    assert max(police.sizes) <= 25
    assert len(police.batches) < 60
    assert police.most_at_once <= 2


async def test_every_command_of_a_batch_has_its_own_outcome(log: Log, clock: Clock) -> None:
    async def judge(works: Sequence[Work]) -> list[Outcome]:
        said = {"c0": DONE, "c1": Outcome(Verdict.FINAL, "no"), "c2": Outcome(Verdict.RETRY, "later")}
        return [said[work.id] for work in works]

    police = Many(act_on_many=judge)
    lease = decide(log, "c0", "c1", "c2")
    async with engine(log, police.target(batch=10, concurrency=1), clock=clock, leases=[lease]):
        await until(lambda: states(log) == {"c0": "done", "c1": "parked", "c2": "retrying"})
    assert [found.last_error for found in entries(log).values()] == ["", "no", "later"]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ([DONE], "it answered 3 commands with 1 outcomes"),
        ([DONE, DONE, None], "it answered with NoneType instead of an Outcome"),
        (None, "object of type 'NoneType' has no len()"),
    ],
)
async def test_an_answer_that_does_not_fit_the_batch_is_reported_and_all_is_tried_again(
    log: Log, clock: Clock, answer: Any, complaint: str
) -> None:
    async def nonsense(works: Sequence[Work]) -> Any:
        return answer

    failures: list[tuple[str, Exception]] = []
    target = Many(act_on_many=nonsense).target(batch=3, concurrency=1)
    async with engine(log, target, clock=clock, leases=[decide(log, "c0", "c1", "c2")], failures=failures):
        await until(lambda: states(log) == dict.fromkeys(("c0", "c1", "c2"), "retrying"))
    assert [(where, str(error)) for where, error in failures] == [("target police", complaint)]


async def test_what_waits_is_taken_along_and_nothing_waits_for_more() -> None:
    gate = asyncio.Event()

    async def slow(works: Sequence[Work]) -> list[Outcome]:
        await gate.wait()
        return [DONE] * len(works)

    adapter = Many(act_on_many=slow)
    given = works(25)
    source = Source(given[:1])
    workers = sending(source, adapter)
    more = asyncio.Event()

    async def lease(target: str, limit: int, ttl: float, wait: float) -> list[Work]:
        if source.given:
            found, source.given = source.given[:limit], source.given[limit:]
            return found
        await more.wait()
        more.clear()
        return []

    source.lease = lease  # type: ignore[method-assign]
    running = asyncio.create_task(workers.run())
    await until(lambda: adapter.sizes == [1])
    for work in given[1:]:
        source.given = [work]  # one by one, while the first is being sent
        more.set()
        await until(lambda: not source.given or workers._held >= 8)
        if source.given:
            break
    source.given, waiting = [], workers._held - 1
    gate.set()
    await until(lambda: len(source.answers) == waiting + 1)
    await ended(running)
    assert waiting > 5
    assert adapter.sizes == [1, waiting]
    assert [work.id for work in adapter.batches[1]] == [work.id for work in given[1 : waiting + 1]]


async def test_only_commands_with_the_same_time_are_in_a_batch() -> None:
    given = [work._replace(timeout=number % 2 * 3.0) for number, work in enumerate(works(8))]
    adapter = Many()
    assert {outcome for _, outcome in await answered(given, adapter)} == {DONE}
    assert sorted(adapter.sizes) == [4, 4]
    assert [len({work.timeout for work in batch}) for batch in adapter.batches] == [1, 1]


async def test_a_batch_has_a_size_beyond_which_it_is_of_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_BYTES", 100)
    given = [work._replace(body=b"x" * size) for work, size in zip(works(5), (40, 40, 500, 20, 20), strict=True)]
    adapter = Many()
    await answered(given, adapter)
    assert [[len(work.body) for work in batch] for batch in adapter.batches] == [[40, 40, 20], [500], [20]]


async def test_no_more_is_held_than_is_bearable_however_large_the_batches() -> None:
    gate = asyncio.Event()

    async def wait(works: Sequence[Work]) -> list[Outcome]:
        await gate.wait()
        return [DONE] * len(works)

    source = Source(works(15_000))
    adapter = Many(act_on_many=wait)
    running = asyncio.create_task(sending(source, adapter, batch=1_000, concurrency=1_000).run())
    await until(lambda: adapter.at_once > 0)
    await asyncio.sleep(0.05)
    assert 15_000 - len(source.given) <= workers.MOST_HELD + workers.MOST_AHEAD
    gate.set()
    await until(lambda: len(source.answers) == 15_000)
    await ended(running)


async def test_what_is_being_sent_for_a_partition_that_stops_is_broken_off_in_its_time() -> None:
    async def never(works: Sequence[Work]) -> list[Outcome]:
        await asyncio.Event().wait()
        raise AssertionError("it is cancelled")

    source, adapter = Source(works(2)), Many(act_on_many=never)
    sender = sending(source, adapter, batch=2)
    running = asyncio.create_task(sender.run())
    await until(lambda: adapter.at_once == 1)
    await sender.stop(None, 0.01)
    await ended(running)
    assert Counter(outcome for _, outcome in source.answers) == {BROKEN_OFF: 2}


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 60),
    batch=st.integers(1, 12),
    concurrency=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_every_lease_is_answered_once_whatever_happens(count: int, batch: int, concurrency: int, seed: int) -> None:
    chance = random.Random(seed)

    async def act(works: Sequence[Work]) -> list[Outcome]:
        await asyncio.sleep(chance.choice((0, 0, 0.001)))
        if chance.random() < 0.1:
            raise OSError("now and then")
        return [DONE] * len(works)

    async def run() -> None:
        source = Source([work._replace(timeout=float(chance.randint(0, 1))) for work in works(count)])
        adapter = Many(act_on_many=act)
        adapter.act = lambda work: asyncio.sleep(0, DONE)
        single = Adapter(adapter.act)
        target = Target("police", "test", None, timeout=10.0, concurrency=concurrency, batch=batch)
        chosen = adapter if batch > 1 else single
        sender = Workers(target, chosen, source, lambda: NOW, lambda _: chance.random() < 0.9, lambda *_: None, print)
        running = asyncio.create_task(sender.run())
        for _ in range(chance.randint(0, 3)):
            await asyncio.sleep(chance.choice((0, 0.0005)))
            await sender.stop(chance.choice((0, 1, None)), chance.choice((0, 0.001)))
        await until(lambda: len(source.answers) >= count)
        await ended(running)
        assert Counter(id for id, _ in source.answers) == Counter(f"c{number}" for number in range(count))
        assert all(size <= batch for size in adapter.sizes)
        assert adapter.most_at_once <= concurrency
        sent = Counter(adapter.ids or single.ids)
        assert all(sent[id] == 1 for id, outcome in source.answers if outcome == DONE)
        assert all(times == 1 for times in sent.values())

    asyncio.run(run())
