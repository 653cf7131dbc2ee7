"""What must hold of every kind, because delivery relies on it.

Commands, ids, leases and results are those of the processor that servers run, over a log in memory. A test that needs
what the other end cannot do is skipped.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from adapters.adapter import Adapter, BatchAdapter, preview
from adapters.errors import TargetError
from adapters.ledger import LONGEST_EXCERPT
from adapters.target_file import BatchModel
from adapters.testing.loop import run
from adapters.testing.other_end import OtherEnd
from adapters.testing.partition import Clock, Partition, kind_of, load
from adapters.work import RETURNED, Outcome, Verdict, Work
from adapters.workers import BREAKING_OFF, SLACK

AT_ONCE = 5
SHORT = 0.5
"""Seconds: the timeout of the target where the other end is slow."""
PATIENCE = 60.0
"""Seconds that a flood may take."""
SENT = (Verdict.DONE, Verdict.WAITING)


class DeliveryConformance:
    """Derive a class whose name begins with `Test`, and give it a fixture `end`: a new `OtherEnd` for each test.

    The kind is found as servers find it, so its distribution must be installed."""

    @pytest.fixture
    def end(self) -> OtherEnd:
        raise NotImplementedError("give your class a fixture `end` that hands out your OtherEnd")

    @pytest.fixture
    def partition(self, end: OtherEnd) -> Iterator[Partition]:
        partition = Partition(end)
        yield partition
        partition.close()

    # -- ids

    def test_a_command_arrives_once_under_its_id_and_is_done(self, end: OtherEnd, partition: Partition) -> None:
        (id,) = partition.decide()
        _run(partition, partition.finish)
        assert end.received() == [id]
        assert partition.state(id) == "done"
        assert partition.told() == [("succeeded", id)]

    def test_what_the_target_answered_can_be_stored(self, end: OtherEnd, partition: Partition) -> None:
        partition.decide()
        outcome = _attempted(partition, partition.lease_one())
        assert outcome.verdict in SENT, outcome
        assert msgspec.json.decode(msgspec.json.encode(outcome.result)) == outcome.result, "the result is no JSON"
        assert msgspec.json.decode(msgspec.json.encode(outcome.progress)) == outcome.progress, "progress is no JSON"
        assert len(outcome.status) <= LONGEST_EXCERPT

    # -- crashes

    def test_after_a_crash_before_it_was_sent_it_arrives_once(self, end: OtherEnd, partition: Partition) -> None:
        (id,) = partition.decide()
        assert partition.lease_one().id == id
        partition.crash()
        _run(partition, partition.finish)
        assert end.received() == [id]
        assert partition.told() == [("succeeded", id)]

    def test_after_a_crash_before_it_was_recorded_it_comes_again_under_the_same_id(
        self, end: OtherEnd, partition: Partition
    ) -> None:
        (id,) = partition.decide()
        first = partition.lease_one()
        assert _attempted(partition, first).verdict in SENT
        partition.crash()
        again = partition.lease_one()
        assert (again.id, again.attempt, again.body) == (id, 2, first.body)
        assert partition.acknowledge(again, RETURNED)
        _run(partition, partition.finish)
        assert set(end.received()) == {id}
        assert len(end.received()) <= 2
        assert partition.state(id) == "done"
        assert partition.told() == [("succeeded", id)]

    # -- acknowledgements

    def test_an_outcome_that_is_said_twice_counts_once(self, partition: Partition) -> None:
        (id,) = partition.decide()

        async def twice(adapter: Adapter) -> list[bool]:
            work, outcome = await _to_the_end(partition, adapter)
            return [partition.acknowledge(work, outcome), partition.acknowledge(work, outcome)]

        assert _run(partition, twice) == [True, False]
        assert partition.told() == [("succeeded", id)]

    def test_an_outcome_that_comes_after_its_lease_was_lost_counts_once(
        self, end: OtherEnd, partition: Partition
    ) -> None:
        (id,) = partition.decide()

        async def late(adapter: Adapter) -> list[bool]:
            work, outcome = await _to_the_end(partition, adapter)
            partition.lose_leases()
            failed = partition.acknowledge(work, Outcome(Verdict.RETRY, "late"))
            other = partition.lease_one()
            assert other.id == id
            again = await partition.attempt(adapter, other)
            done = partition.acknowledge(work, outcome)
            return [failed, done, partition.acknowledge(other, again)]

        assert _run(partition, late) == [False, True, False]
        assert set(end.received()) == {id}
        assert partition.state(id) == "done"
        assert partition.told() == [("succeeded", id)]

    # -- slow, and many

    def test_what_takes_longer_than_its_timeout_is_tried_again_and_is_done_once(self, end: OtherEnd) -> None:
        end.delay(4 * (SHORT + SLACK))
        with _partition(end, timeout=f"{SHORT * 1000:.0f}ms") as partition:
            (id,) = partition.decide()

            async def slow_then_fast(adapter: Adapter) -> Outcome:
                work = partition.lease_one()
                first = await partition.attempt(adapter, work)
                assert partition.acknowledge(work, first)
                end.delay(0)
                await partition.finish(adapter)
                return first

            first = _run(partition, slow_then_fast)
            assert first.verdict in (Verdict.RETRY, Verdict.WAITING), first
            assert first.verdict is Verdict.WAITING or first.reason, "why it is tried again is not said"
            assert set(end.received()) == {id}
            assert partition.told() == [("succeeded", id)]

    def test_of_a_flood_each_command_arrives_and_is_done_once(self, end: OtherEnd) -> None:
        with _partition(end, concurrency=AT_ONCE) as partition:
            ids = partition.decide(end.flood)

            async def flood() -> None:
                async with partition.engine(), asyncio.timeout(PATIENCE):
                    while len(partition.told()) < end.flood:
                        await asyncio.sleep(0.05)
                        partition.clock.advance(1)

            run(flood())
            assert Counter(end.received()) == Counter(ids)
            assert Counter(partition.told()) == Counter(("succeeded", id) for id in ids)

    def test_cancelled_while_it_sends_it_ends_at_once_and_the_next_is_delivered(
        self, end: OtherEnd, partition: Partition
    ) -> None:
        (id,) = partition.decide()
        slowness = partition.target.timeout / 2
        end.delay(slowness)

        async def cancelled(adapter: Adapter) -> None:
            work = partition.lease_one()
            clock = asyncio.get_running_loop().time
            began = clock()
            attempt = asyncio.create_task(partition.attempt(adapter, work))
            await asyncio.sleep(min(0.2, slowness / 4))
            assert clock() - began < 0.75 * slowness, "it blocks the event loop while it waits for the other end"
            attempt.cancel()
            await asyncio.wait((attempt,), timeout=BREAKING_OFF)
            assert attempt.done(), f"it goes on {BREAKING_OFF} s after it was cancelled"
            if not attempt.cancelled():
                assert attempt.exception() is None, attempt.exception()
                assert attempt.result().verdict in (*SENT, Verdict.RETRY, Verdict.RETURNED), attempt.result()
            end.delay(0)
            partition.acknowledge(work, Outcome(Verdict.RETRY, "stopped"))
            partition.clock.advance(120)
            await partition.finish(adapter)

        _run(partition, cancelled)
        assert set(end.received()) == {id}
        assert partition.told() == [("succeeded", id)]

    def test_a_batch_is_answered_in_its_order(self, end: OtherEnd) -> None:
        if not issubclass(kind_of(end).model, BatchModel):
            pytest.skip("its target has no `batch`")
        with _partition(end, batch=10) as partition:
            ids = partition.decide(10)

            async def many(adapter: Adapter) -> list[Outcome]:
                assert isinstance(adapter, BatchAdapter)
                works = partition.lease(10)
                outcomes = await adapter.deliver_many(works)
                for work, outcome in zip(works, outcomes, strict=True):
                    assert partition.acknowledge(work, outcome)
                return outcomes

            assert [outcome.verdict for outcome in _run(partition, many)] == [Verdict.DONE] * 10
            assert sorted(end.received()) == sorted(ids)

    # -- failures

    def test_a_command_that_is_refused_says_why(self, end: OtherEnd, partition: Partition) -> None:
        end.refuse(True)
        partition.decide()
        outcome = _attempted(partition, partition.lease_one())
        assert outcome.verdict in (Verdict.RETRY, Verdict.FINAL), outcome
        assert outcome.reason

    def test_what_was_refused_and_is_redriven_is_sent_again_under_the_same_id(
        self, end: OtherEnd, partition: Partition
    ) -> None:
        end.refuse(True)
        (id,) = partition.decide()

        async def refused_and_redriven(adapter: Adapter) -> None:
            work = partition.lease_one()
            outcome = await partition.attempt(adapter, work)
            if outcome.verdict is Verdict.RETRY:
                outcome = Outcome(Verdict.FINAL, "its retries are used up")
            assert partition.acknowledge(work, outcome)
            assert partition.state(id) == "parked", outcome
            end.refuse(False)
            partition.redrive(id)
            await partition.finish(adapter)

        _run(partition, refused_and_redriven)
        assert set(end.received()) == {id}
        assert partition.told() == [("parked", id), ("succeeded", id)]

    def test_while_nobody_answers_it_is_tried_again(self, end: OtherEnd, partition: Partition) -> None:
        end.vanish()
        partition.decide()
        outcome = _attempted(partition, partition.lease_one())
        assert outcome.verdict is Verdict.RETRY, outcome
        assert outcome.reason

    def test_nothing_that_is_stored_or_shown_holds_a_secret(self, end: OtherEnd, partition: Partition) -> None:
        if not end.secrets:
            pytest.skip("its target has no secrets")
        end.refuse(True)
        partition.decide()

        async def shown(adapter: Adapter) -> str:
            work = partition.lease_one()
            outcome = await partition.attempt(adapter, work)
            partition.acknowledge(work, outcome)
            return f"{outcome!r} {adapter!r} {partition.target!r} {partition.stored_text()}"

        found = _run(partition, shown)
        assert [reference for reference, secret in end.secrets.items() if secret in found] == []

    def test_what_it_would_send_can_be_shown_without_secrets_and_is_not_sent(
        self, end: OtherEnd, partition: Partition
    ) -> None:
        (id,) = partition.decide()

        async def shown(adapter: Adapter) -> Any:
            return await preview(adapter, partition.lease_one())

        if (found := _run(partition, shown)) is None:
            pytest.skip("it has no `preview`")
        text = msgspec.json.encode(found).decode()
        assert [reference for reference, secret in end.secrets.items() if secret in text] == []
        assert id not in end.received()

    def test_a_secret_that_does_not_exist_is_an_error_when_the_file_is_read(self, end: OtherEnd) -> None:
        if not end.secrets:
            pytest.skip("its target has no secrets")
        for missing in end.secrets:
            others = {reference: secret for reference, secret in end.secrets.items() if reference != missing}
            with pytest.raises(TargetError) as caught:
                load(end, Clock(), others)
            assert missing.partition(":")[2] in str(caught.value), "the error does not name what is missing"
            assert not any(secret in str(caught.value) for secret in end.secrets.values())

    def test_a_key_that_it_does_not_know_is_an_error_when_the_file_is_read(self, end: OtherEnd) -> None:
        with pytest.raises(TargetError, match="no_such_key"):
            load(end, Clock(), no_such_key=1)

    # -- its end

    def test_it_may_be_closed_twice_and_without_having_delivered(self, partition: Partition) -> None:
        async def close() -> None:
            assert partition.target.open is not None
            adapter = partition.target.open()
            async with asyncio.timeout(partition.target.timeout + SLACK):
                await adapter.close()
                await adapter.close()

        run(close())

    def test_two_in_one_process_do_not_share_their_end(self, end: OtherEnd, partition: Partition) -> None:
        """As when partitions move and a target is opened anew."""
        (id,) = partition.decide()

        async def one_closes(adapter: Adapter) -> None:
            assert partition.target.open is not None
            await partition.target.open().close()
            await partition.finish(adapter)

        _run(partition, one_closes)
        assert end.received() == [id]


class _partition:
    """A partition with other keys of the target, closed at its end."""

    def __init__(self, end: OtherEnd, **keys: Any) -> None:
        self._made = Partition(end, **keys)

    def __enter__(self) -> Partition:
        return self._made

    def __exit__(self, *_: object) -> None:
        self._made.close()


@asynccontextmanager
async def _opened(partition: Partition) -> AsyncIterator[Adapter]:
    assert partition.target.open is not None, "nothing delivers here: the kind's `make` handed out None"
    adapter = partition.target.open()
    try:
        yield adapter
    finally:
        await adapter.close()


def _run(partition: Partition, do: Any) -> Any:
    """Calls it with an adapter, in an event loop of its own."""

    async def call() -> Any:
        async with _opened(partition) as adapter:
            return await do(adapter)

    return run(call())


def _attempted(partition: Partition, work: Work) -> Outcome:
    async def attempt(adapter: Adapter) -> Outcome:
        return await partition.attempt(adapter, work)

    outcome: Outcome = _run(partition, attempt)
    return outcome


async def _to_the_end(partition: Partition, adapter: Adapter) -> tuple[Work, Outcome]:
    """The attempt that ended it, and how, which is not told yet."""
    while True:
        work = partition.lease_one()
        outcome = await partition.attempt(adapter, work)
        if outcome.verdict is Verdict.DONE:
            return work, outcome
        assert outcome.verdict is Verdict.WAITING, outcome
        assert partition.acknowledge(work, outcome)
        partition.clock.advance(outcome.retry_after or 1)
        await asyncio.sleep(0.05)
