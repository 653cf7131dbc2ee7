"""Delivery as a whole: everything reaches its target, whatever fails on the way, and nothing fails unseen."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import Any

import pytest

from adapters import workers
from adapters.errors import DeliveryError
from adapters.ledger import DELIVERY
from adapters.retry import RetryPolicy
from adapters.turn import Ack
from adapters.work import Outcome, Verdict, Work
from streams.log import Code, Log
from streams.outputs import Asked
from tests.adapters.delivering import DONE, Adapter, commit, decide, engine, entries, names, states, told, until
from tests.adapters.world import FaultyLog
from tests.conformance.backends import Clock, Writer, owned


async def test_commands_of_all_partitions_are_delivered_and_told_once(log: Log, clock: Clock) -> None:
    leases = [decide(log, *names(f"p{partition}-", 40), partition=partition) for partition in range(3)]
    police = Adapter()
    async with engine(log, police.target(), clock=clock, leases=leases) as delivery:
        await until(lambda: sum(len(told(log, partition)) for partition in range(3)) == 120)
        assert delivery.partitions == [0, 1, 2]
        await until(lambda: delivery.counts["done|police"] == 120)
    assert Counter(police.ids) == Counter({name: 1 for p in range(3) for name in names(f"p{p}-", 40)})
    assert police.closed
    for partition in range(3):
        assert set(states(log, partition).values()) == {"done"}
        assert {what for what, _ in told(log, partition)} == {"succeeded"}


async def test_what_is_committed_later_is_delivered_when_somebody_says_so(log: Log, clock: Clock) -> None:
    police = Adapter()
    rules = Writer(log)
    async with engine(log, police.target(), clock=clock, leases=[owned(log, role=DELIVERY)]) as delivery:
        for number in range(5):
            commit(rules, f"c{number}")
            delivery.notify(0)
            await until(lambda number=number: len(police.works) == number + 1)  # type: ignore[misc]


async def test_what_an_adapter_raises_is_reported_and_tried_again(log: Log, clock: Clock) -> None:
    lease = decide(log, "c1")
    failures: list[tuple[str, Exception]] = []

    async def broken(work: Work) -> Outcome:
        raise KeyError("url")

    police = Adapter(broken)
    async with engine(log, police.target(), clock=clock, leases=[lease], failures=failures) as delivery:
        await until(lambda: states(log) == {"c1": "retrying"})
        assert delivery.problems() == ["target police: KeyError: 'url'"]
        assert delivery.counts["failed|target police"] == 1
        assert entries(log)["c1"].last_error == "the adapter failed: KeyError: 'url'"
        police.act = None
        clock.advance(10)
        delivery.notify(0)
        await until(lambda: states(log) == {"c1": "done"})
        assert delivery.problems() == []
    assert [(where, repr(error)) for where, error in failures] == [("target police", "KeyError('url')")]


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"status": 503}, "`status` of its Outcome is int"),
        ({"reason": None}, "`reason` of its Outcome is NoneType"),
        ({"verdict": "retry"}, "`verdict` of its Outcome is str"),
        ({"verdict": Verdict.WAITING, "retry_after": math.nan}, "`retry_after` of its Outcome is no number"),
        ({"retry_after": "10"}, "`retry_after` of its Outcome is str"),
    ],
)
async def test_an_outcome_with_a_field_of_the_wrong_type_does_not_hold_up_its_partition(
    log: Log, clock: Clock, keys: dict[str, Any], fault: str
) -> None:
    rules = Writer(log)
    commit(rules, "bad")
    commit(rules, "good", to="court")
    failures: list[tuple[str, Exception]] = []

    async def wrong(work: Work) -> Outcome:
        return Outcome(**{"verdict": Verdict.RETRY, **keys})

    targets = Adapter(wrong).target(), Adapter().target("court")
    lease = owned(log, role=DELIVERY)
    async with engine(log, *targets, clock=clock, leases=[lease], failures=failures):
        await until(lambda: states(log) == {"bad": "retrying", "good": "done"})
    assert [where for where, _ in failures] == ["target police"]
    assert fault in entries(log)["bad"].last_error


async def test_an_adapter_that_answers_with_nonsense_is_reported(log: Log, clock: Clock) -> None:
    async def nonsense(work: Work) -> None:
        return None

    failures: list[tuple[str, Exception]] = []
    police = Adapter(nonsense)
    async with engine(log, police.target(), clock=clock, leases=[decide(log, "c1")], failures=failures):
        await until(lambda: states(log) == {"c1": "retrying"})
    assert "NoneType instead of an Outcome" in entries(log)["c1"].last_error
    assert len(failures) == 1


async def test_an_adapter_that_never_answers_is_ended_and_does_not_keep_its_place(
    log: Log, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SLACK", 0.05)
    never = asyncio.Event()
    failures: list[tuple[str, Exception]] = []

    async def hang(work: Work) -> Outcome:
        if work.id == "bad":
            await never.wait()
        return DONE

    police = Adapter(hang)
    target = police.target(timeout=0.05, concurrency=1)
    async with engine(log, target, clock=clock, leases=[decide(log, "bad", "good")], failures=failures):
        await until(lambda: states(log) == {"bad": "retrying", "good": "done"})
    assert "TimeoutError" in entries(log)["bad"].last_error
    assert [where for where, _ in failures] == ["target police"]


async def test_a_log_that_fails_is_reported_and_everything_is_delivered_after_all(log: Log, clock: Clock) -> None:
    faulty = FaultyLog(log)
    failures: list[tuple[str, Exception]] = []
    police = Adapter()
    lease = decide(log, *names("c", 30))
    faulty.reading_fails = "outputs"
    async with engine(faulty, police.target(), clock=clock, leases=[lease], failures=failures) as delivery:  # type: ignore[arg-type]
        await until(lambda: len(failures) == 1)
        assert delivery.problems() or police.works
        for how in ("before", "after", "before", "after"):
            faulty.commit_fails = how
            seen = len(failures)
            lease = decide(log, *names(f"{seen}-", 10))
            delivery.start(lease)
            delivery.notify(0)
            await until(lambda seen=seen: len(failures) > seen)  # type: ignore[misc]
        await until(lambda: set(states(log).values()) == {"done"} and len(states(log)) == 70)
        assert delivery.problems() == []
    assert {where for where, _ in failures} == {"delivery of partition 0"}
    assert Counter(id for _, id in told(log)) == Counter(dict.fromkeys(states(log), 1))


async def test_never_more_at_once_than_a_target_bears(log: Log, clock: Clock) -> None:
    async def yielding(work: Work) -> Outcome:
        await asyncio.sleep(0.001)
        return DONE

    police, bank = Adapter(yielding), Adapter(yielding)
    leases = [decide(log, *names(f"p{p}-", 30), partition=p) for p in range(3)]
    leases[0] = decide(log, *names("b", 30), to="bank")
    async with engine(
        log, police.target(concurrency=3), bank.target("bank", concurrency=1), clock=clock, leases=leases
    ):
        await until(lambda: len(told(log, 0)) == 60 and len(told(log, 1)) + len(told(log, 2)) == 60)
    assert (police.most_at_once, bank.most_at_once) == (3, 1)


async def test_a_slow_target_holds_no_more_than_it_can_send(log: Log, clock: Clock) -> None:
    over = asyncio.Event()

    async def slow(work: Work) -> Outcome:
        await over.wait()
        return DONE

    police, bank = Adapter(slow), Adapter()
    lease = decide(log, *names("p", 500))
    lease = decide(log, *names("b", 20), to="bank")
    # One partition of three is here, and a third of the concurrency with it.
    async with engine(log, police.target(concurrency=6), bank.target("bank"), clock=clock, leases=[lease]):
        await until(lambda: len(bank.works) == 20)  # a dead target does not hide others
        await until(lambda: police.at_once == 2)
        leased = [name for name, state in states(log).items() if state == "in_flight"]
        assert 2 <= len([name for name in leased if name.startswith("p")]) <= 2 + 16
        over.set()
        await until(lambda: len(told(log)) == 520)


@pytest.mark.parametrize(("partitions", "at_once"), [(1, 3), (2, 6), (3, 9)])
async def test_processes_that_share_the_partitions_share_the_concurrency(
    log: Log, clock: Clock, partitions: int, at_once: int
) -> None:
    over = asyncio.Event()

    async def slow(work: Work) -> Outcome:
        await over.wait()
        return DONE

    police = Adapter(slow)
    leases = [decide(log, *names(f"p{p}-", 20), partition=p) for p in range(partitions)]
    async with engine(log, police.target(concurrency=9), clock=clock, leases=leases):
        await until(lambda: police.at_once == at_once)
        await asyncio.sleep(0.05)
        assert police.at_once == at_once
        over.set()
        await until(lambda: len(police.works) == 20 * partitions)


async def test_a_long_backlog_of_one_partition_does_not_hold_up_another(log: Log, clock: Clock) -> None:
    async def yielding(work: Work) -> Outcome:
        await asyncio.sleep(0)
        return DONE

    police = Adapter(yielding)
    long = decide(log, *names("long", 2_000), partition=0)
    async with engine(log, police.target(concurrency=1), clock=clock, leases=[long]) as delivery:
        await until(lambda: len(police.works) > 50)
        delivery.start(decide(log, *names("short", 5), partition=1))
        await until(lambda: len(told(log, 1)) == 5)
        assert len(police.works) < 1_500
        await until(lambda: len(told(log, 0)) == 2_000)


async def test_somebody_outside_takes_work_and_answers_by_the_same_interface(log: Log, clock: Clock) -> None:
    never = Adapter()
    target = never.target("other")
    lease = decide(log, "c1", "c2", to="other")
    async with engine(log, target, clock=clock, leases=[]) as delivery:
        with pytest.raises(DeliveryError, match="no target `nobody`: declare it"):
            await delivery.lease("nobody", 1, 10.0, 0.0)
        assert await delivery.lease("other", 5, 10.0, 0.01) == []
        stranger = Work("c1", 1, "other", b"", 0, 2)
        assert await delivery.acknowledge(Ack(stranger, DONE)) is None
        delivery.start(lease)
        await until(lambda: len(told(log)) == 2)


async def test_what_is_asked_for_commands_is_done(log: Log, clock: Clock) -> None:
    async def refuse(work: Work) -> Outcome:
        return Outcome(Verdict.FINAL, "HTTP 400") if work.id == "c1" else Outcome(Verdict.RETRY, "busy")

    police = Adapter(refuse)
    target = police.target(retry=RetryPolicy(initial=100.0))
    rules = Writer(log)
    commit(rules, "c1", "c2")
    async with engine(log, target, clock=clock, leases=[owned(log, role=DELIVERY)]) as delivery:
        await until(lambda: states(log) == {"c1": "parked", "c2": "retrying"})
        police.act = None
        asked = [Asked("cancel", ("c2",), "a mistake"), Asked("redrive", ("c1",))]
        assert rules.commit(outputs=asked) is Code.COMMITTED
        delivery.notify(0)
        await until(lambda: states(log) == {"c1": "done", "c2": "cancelled"})
        assert told(log) == [("parked", "c1"), ("cancelled", "c2"), ("succeeded", "c1")]
    assert police.ids.count("c2") == 1


async def test_targets_that_were_opened_are_closed_when_another_cannot_be(log: Log, clock: Clock) -> None:
    police, bank = Adapter(), Adapter()
    broken = bank.target("bank")
    object.__setattr__(broken, "open", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        async with engine(log, police.target(), broken, clock=clock):
            raise AssertionError("it must not open")
    assert (police.closed, bank.closed) == (True, False)
