"""Partitions come and go while work is in flight: nothing is lost, nothing is told twice, and ends come in time."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from adapters import workers
from adapters.ledger import DELIVERY
from adapters.retry import RetryPolicy
from adapters.work import Outcome, Verdict, Work
from streams.backends.open import open_log
from streams.log import Log
from tests.adapters.delivering import DONE, Adapter, decide, engine, entries, names, states, told, until
from tests.conformance.backends import SMALL, Clock, owned


class Gate:
    """An adapter's attempts wait here."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, work: Work) -> Outcome:
        await self.open.wait()
        return DONE


async def test_another_engine_takes_over_what_is_in_flight_and_it_is_told_once(log: Log, clock: Clock) -> None:
    gate = Gate()
    old, new = Adapter(gate), Adapter()
    lease = decide(log, *names("c", 30))
    # One partition of three is here, and a third of the concurrency with it.
    async with engine(log, old.target(concurrency=6), clock=clock, leases=[lease]) as first:
        await until(lambda: old.at_once == 2)
        lease = owned(log, role=DELIVERY)  # a newer epoch, and the first does not know of it yet
        async with engine(log, new.target(), clock=clock, leases=[lease]):
            await until(lambda: len(told(log)) == 30)
            gate.open.set()
            first.notify(0)
            await until(lambda: first.partitions == [])
    assert set(new.ids) == set(names("c", 30))
    assert Counter(told(log)) == Counter({("succeeded", name): 1 for name in names("c", 30)})
    assert [entries(log)[id].attempts for id in old.ids] == [2, 2]


async def test_stopping_lets_what_is_being_sent_end_and_gives_back_the_rest(log: Log, clock: Clock) -> None:
    gate = Gate()
    police = Adapter(gate)
    lease = decide(log, *names("c", 10))
    # One partition of three is here, and a third of the concurrency with it.
    async with engine(log, police.target(concurrency=6), clock=clock, leases=[lease]) as delivery:
        await until(lambda: police.at_once == 2)
        stopping = asyncio.create_task(delivery.stop(0, timeout=10.0))
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.wait_for(stopping, 5)
        assert delivery.partitions == []
        found = entries(log)
        assert Counter(entry.state.value for entry in found.values()) == {"done": 2, "pending": 8}
        assert [entry.attempts for entry in found.values() if entry.state.value == "pending"] == [0] * 8
        assert len(police.works) == 2


async def test_what_does_not_end_in_time_is_broken_off_and_comes_again(log: Log, clock: Clock) -> None:
    gate = Gate()
    police = Adapter(gate)
    lease = decide(log, "c1")
    async with engine(log, police.target(), clock=clock, leases=[lease]) as delivery:
        await until(lambda: police.at_once == 1)
        await asyncio.wait_for(delivery.stop(0, timeout=0.05), 5)
        assert states(log) == {"c1": "retrying"}
        assert entries(log)["c1"].last_error == "the process that sent it stopped meanwhile"
        police.act = None
        clock.advance(5)
        delivery.start(owned(log, role=DELIVERY))
        await until(lambda: states(log) == {"c1": "done"})


async def test_an_adapter_that_does_not_heed_being_cancelled_does_not_hold_up_the_end(
    log: Log, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "BREAKING_OFF", 0.05)
    over = asyncio.Event()

    async def stubborn(work: Work) -> Outcome:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue
        return DONE

    police = Adapter(stubborn)
    async with engine(log, police.target(), clock=clock, leases=[decide(log, "c1")]) as delivery:
        await until(lambda: police.at_once == 1)
        await asyncio.wait_for(delivery.stop(0, timeout=0.05), 5)
        over.set()
        await until(lambda: police.at_once == 0)
    assert states(log) == {"c1": "in_flight"}  # its lease will be over with the next owner


async def test_a_partition_that_comes_back_while_it_is_being_stopped_is_delivered_from(log: Log, clock: Clock) -> None:
    gate = Gate()
    police = Adapter(gate)
    lease = decide(log, "c1")
    async with engine(log, police.target(), clock=clock, leases=[lease]) as delivery:
        await until(lambda: police.at_once == 1)
        stopping = asyncio.create_task(delivery.stop(0, timeout=10.0))
        await asyncio.sleep(0)
        lease = decide(log, "c2")  # again ours, under a later epoch
        delivery.start(lease)
        gate.open.set()
        await asyncio.wait_for(stopping, 5)
        lease = decide(log, "c3")
        delivery.start(lease)
        await until(lambda: states(log) == {"c1": "done", "c2": "done", "c3": "done"})
        assert delivery.partitions == [0]


async def test_giving_up_and_getting_back_at_one_moment_leaves_it_delivered_from(log: Log, clock: Clock) -> None:
    police = Adapter()
    async with engine(log, police.target(), clock=clock, leases=[owned(log, role=DELIVERY)]) as delivery:
        await until(lambda: delivery.partitions == [0])
        stopping = delivery.stop(0)  # called first, though it is awaited after the start
        delivery.start(decide(log, "c1"))
        await asyncio.sleep(0)
        await asyncio.wait_for(stopping, 5)
        await until(lambda: states(log) == {"c1": "done"})
        assert delivery.partitions == [0]


async def test_nothing_starts_after_the_end(log: Log, clock: Clock) -> None:
    police = Adapter()
    async with engine(log, police.target(), clock=clock) as delivery:
        await delivery.close(0.1)
        delivery.start(decide(log, "c1"))
        delivery.notify(0)
        await asyncio.sleep(0.02)
        assert delivery.partitions == []
    assert police.works == []


async def test_closing_comes_to_its_end_though_an_adapter_cannot_be_closed(log: Log, clock: Clock) -> None:
    class Stuck(Adapter):
        async def close(self) -> None:
            await asyncio.Event().wait()

    failures: list[tuple[str, Exception]] = []
    async with engine(log, Stuck().target(), clock=clock, failures=failures):
        pass
    assert [where for where, _ in failures] == ["target police"]


async def test_a_retry_happens_at_its_time_though_everything_was_closed_in_between(
    tmp_path: Path, clock: Clock
) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"

    async def busy(work: Work) -> Outcome:
        return Outcome(Verdict.RETRY, "busy", retry_after=600.0)

    log = open_log(url, partitions=1, now=clock, limits=SMALL)
    police = Adapter(busy)
    async with engine(log, police.target(), clock=clock, leases=[decide(log, "c1")]):
        await until(lambda: states(log) == {"c1": "retrying"})
    due = entries(log)["c1"].due
    assert due == clock() + 600_000_000
    log.close()

    async def reopened(attempts: int) -> None:
        log = open_log(url, partitions=1, now=clock, limits=SMALL)
        async with engine(log, police.target(), clock=clock, leases=[owned(log, role=DELIVERY)]):
            await until(lambda: entries(log)["c1"].attempts == attempts and states(log) == {"c1": "retrying"})
            await asyncio.sleep(0.02)  # another attempt would come at once
        assert [work.attempt for work in police.works] == list(range(1, attempts + 1))
        log.close()

    for attempts, seconds in ((1, 599.999), (2, 0.001), (2, 599.999), (3, 0.001)):
        clock.advance(seconds)
        await reopened(attempts)


async def test_a_crash_between_sending_and_noting_sends_again_and_tells_once(tmp_path: Path, clock: Clock) -> None:
    """Nothing of the first engine is stored after its leases: its process might as well have been killed."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    log = open_log(url, partitions=1, now=clock, limits=SMALL)
    first, second = Adapter(), Adapter()

    async def fenced_meanwhile(work: Work) -> Outcome:
        owned(log, role=DELIVERY)  # from now on nothing is stored under the epoch of the first
        return DONE

    first.act = fenced_meanwhile
    async with engine(log, first.target(), clock=clock, leases=[decide(log, *names("c", 5))]) as delivery:
        await until(lambda: delivery.partitions == [])
    assert told(log) == []
    log.close()
    log = open_log(url, partitions=1, now=clock, limits=SMALL)
    async with engine(log, second.target(retry=RetryPolicy()), clock=clock, leases=[owned(log, role=DELIVERY)]):
        await until(lambda: len(told(log)) == 5)
    assert set(second.ids) == set(names("c", 5))
    assert Counter(told(log)) == Counter({("succeeded", name): 1 for name in names("c", 5)})
    log.close()
