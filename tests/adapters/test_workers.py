"""What workers do with what they leased: every lease is answered, also when they are told to stop at a bad moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from adapters.work import RETURNED, Outcome, Verdict, Work
from adapters.workers import Workers
from tests.adapters.delivering import DONE, Adapter, until

NOW = 1_700_000_000_000_000


def works(count: int, seconds: float = 60.0) -> list[Work]:
    return [Work(f"c{number}", 1, "police", b"", NOW + int(seconds * 1e6), number % 2) for number in range(count)]


class Source:
    """Gives these works away, then runs `then`, then has nothing more."""

    def __init__(self, given: list[Work]) -> None:
        self.given = given
        self.answers: list[tuple[str, Outcome]] = []
        self.limits: list[int] = []
        self.then: Callable[[], object] = lambda: None

    async def lease(self, target: str, limit: int, ttl: float, wait: float) -> list[Work]:
        self.limits.append(limit)
        if self.given:
            given, self.given = self.given[:limit], self.given[limit:]
            return given
        self.then()
        await asyncio.Event().wait()
        raise AssertionError("it is cancelled")

    def acknowledge(self, work: Work, outcome: Outcome) -> asyncio.Future[bool | None]:
        self.answers.append((work.id, outcome if outcome.took is None else replace(outcome, took=None)))
        stored: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        stored.set_result(True)
        return stored


def make(
    source: Source, adapter: Adapter, holds: Callable[[Work], bool] = lambda work: True, **options: int
) -> Workers:
    def failed(error: Exception) -> None:
        raise AssertionError from error

    target = adapter.target(timeout=10.0, **options)
    return Workers(target, adapter, source, lambda: NOW, holds, lambda verdict, seconds: None, failed)


async def ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_was_leased_a_moment_before_the_end_is_given_back() -> None:
    """Before a sender takes its first step."""
    source, adapter = Source(works(5)), Adapter()
    workers = make(source, adapter)
    step = workers.stop(None, 1.0).__await__()

    source.then = lambda: next(step, None)  # stops at once, in the same step of the loop in which they were made
    running = asyncio.create_task(workers.run())
    await until(lambda: len(source.answers) == 5)
    await ended(running)
    assert source.answers == [(f"c{number}", RETURNED) for number in range(5)]
    assert adapter.works == []
    step.close()


async def test_a_lease_that_could_run_out_while_it_is_sent_is_given_back() -> None:
    source, adapter = Source([*works(1, seconds=10.5), *works(1, seconds=11.5)]), Adapter()
    running = asyncio.create_task(make(source, adapter).run())
    await until(lambda: len(source.answers) == 2)
    await ended(running)
    assert [outcome.verdict for _, outcome in source.answers] == [Verdict.RETURNED, Verdict.DONE]


async def test_nothing_is_sent_of_a_partition_that_is_ours_no_more() -> None:
    source, adapter = Source(works(6)), Adapter()
    running = asyncio.create_task(make(source, adapter, lambda work: work.partition == 0).run())
    await until(lambda: len(source.answers) == 6)
    await ended(running)
    assert adapter.ids == ["c0", "c2", "c4"]
    assert {id for id, outcome in source.answers if outcome is RETURNED} == {"c1", "c3", "c5"}


async def test_only_what_was_leased_from_the_partition_is_stopped() -> None:
    gate = asyncio.Event()

    async def wait(work: Work) -> Outcome:
        await gate.wait()
        return DONE

    source, adapter = Source(works(8)), Adapter(wait)
    workers = make(source, adapter, concurrency=2)
    running = asyncio.create_task(workers.run())
    await until(lambda: adapter.at_once == 2)
    await workers.stop(1, 0.01)
    assert dict(source.answers)["c1"].reason == "the process that sent it stopped meanwhile"
    gate.set()
    await until(lambda: len(source.answers) == 8)
    await ended(running)
    assert {id for id, outcome in source.answers if outcome == DONE} == {f"c{number}" for number in range(8)} - {"c1"}


async def test_more_is_leased_ahead_of_a_fast_target_than_of_a_slow_one() -> None:
    source, adapter = Source(works(400)), Adapter()
    workers = make(source, adapter, concurrency=4)
    running = asyncio.create_task(workers.run())
    await until(lambda: len(source.answers) == 400)
    await ended(running)
    assert source.limits[0] == 4
    assert max(source.limits) > 100


@pytest.mark.parametrize(("timeout", "sent"), [(0.0, True), (30.0, True), (58.0, True), (60.0, False)])
async def test_what_its_lease_leaves_no_time_for_is_given_back(timeout: float, sent: bool) -> None:
    (work,) = works(1, seconds=60)
    source, adapter = Source([work._replace(timeout=timeout)]), Adapter()
    running = asyncio.create_task(make(source, adapter).run())
    await until(lambda: len(source.answers) == 1)
    await ended(running)
    assert source.answers == [("c0", DONE if sent else RETURNED)]


async def test_an_adapter_that_does_not_heed_the_time_of_a_command_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.workers.SLACK", 0.01)
    failures: list[Exception] = []
    (work,) = works(1)
    source = Source([work._replace(timeout=0.05)])
    adapter = Adapter(lambda work: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
    target = adapter.target(timeout=1_000.0)
    source.given = [source.given[0]._replace(deadline=NOW + 2_000_000_000)]
    workers = Workers(target, adapter, source, lambda: NOW, lambda _: True, lambda *_: None, failures.append)
    running = asyncio.create_task(workers.run())
    await until(lambda: len(source.answers) == 1)
    await ended(running)
    assert source.answers[0][1].reason == "the adapter failed: TimeoutError: no end within 0.06 s"
    assert [type(failure) for failure in failures] == [TimeoutError]


async def test_an_adapter_that_is_cancelled_by_its_own_doing_has_failed() -> None:
    """Such as by a client that ends what waits for its connection."""
    failures: list[Exception] = []
    source = Source(works(2))

    async def broken(work: Work) -> Outcome:
        raise asyncio.CancelledError

    adapter = Adapter(broken)
    workers = Workers(
        adapter.target(timeout=10.0), adapter, source, lambda: NOW, lambda _: True, lambda *_: None, failures.append
    )
    running = asyncio.create_task(workers.run())
    await until(lambda: len(source.answers) == 2)
    await ended(running)
    assert {outcome.reason for _, outcome in source.answers} == {
        "the adapter failed: RuntimeError: it was cancelled, though nobody asked for that"
    }
    assert len(failures) == 2


async def test_an_adapter_that_ends_late_with_an_error_of_its_own_does_not_spoil_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request to end is taken back whatever comes of it: the second late one was taken for an end of the process."""
    monkeypatch.setattr("adapters.workers.SLACK", 0.01)
    monkeypatch.setattr("adapters.workers.LOOK", 0.02)
    source = Source([work._replace(timeout=0.02) for work in works(3)])

    async def late(work: Work) -> Outcome:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if work.id == "c0":
                raise ConnectionError("given up") from None
            raise
        raise AssertionError("nobody sets it")

    adapter = Adapter(late)
    target = adapter.target(timeout=0.02, concurrency=1)
    workers = Workers(target, adapter, source, lambda: NOW, lambda _: True, lambda *_: None, lambda error: None)
    running = asyncio.create_task(workers.run())
    await until(lambda: len(source.answers) == 3)
    await ended(running)
    assert [outcome.reason.removeprefix("the adapter failed: ") for _, outcome in source.answers] == [
        "ConnectionError: given up",
        "TimeoutError: no end within 0.03 s",
        "TimeoutError: no end within 0.03 s",
    ]
