"""A keeper in its thread: what it takes, gives back, and tells of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from streams.backends.limits import LogLimits
from streams.backends.memory import MemoryLog
from streams.keeper import Keeper
from streams.log import DELIVERY, Lease, Log, LogUnavailable
from tests.conformance.backends import Writer, command

PARTITIONS = 4


class Delivering:
    """Notes what its keeper says. `ended` says whether stopping a partition ends at once."""

    def __init__(self, log: Log, name: str, told: Callable[[int], bool] = lambda partition: False) -> None:
        self.started: list[Lease] = []
        self.stopping: dict[int, Future[None]] = {}
        self.news: list[int] = []
        self.failures: list[BaseException] = []
        self.ended = True
        self.keeper = Keeper(
            log,
            name,
            DELIVERY,
            lease=1.0,
            monotonic=time.monotonic,
            start=self.started.append,
            stop=self.stop,
            news=self.news.append,
            told=told,
            failed=self.failures.append,
        )

    def stop(self, partition: int) -> Future[None]:
        stopped = self.stopping[partition] = Future()
        if self.ended:
            stopped.set_result(None)
        return stopped

    @contextmanager
    def working(self) -> Iterator[Delivering]:
        end = threading.Event()
        thread = threading.Thread(target=self.keeper.run, args=[end])
        thread.start()
        try:
            yield self
        finally:
            end.set()
            thread.join(10)
            self.keeper.leave()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def deliverers(log: Log) -> list[str | None]:
    return [status.deliverer for status in log.status()]


@pytest.fixture
def log() -> Log:
    return MemoryLog(PARTITIONS, lambda: time.monotonic_ns() // 1000, LogLimits())


def test_a_keeper_alone_takes_everything_and_releases_it_in_the_end(log: Log) -> None:
    with Delivering(log, "a").working() as delivering:
        until(lambda: len(delivering.started) == PARTITIONS)
        assert deliverers(log) == ["a"] * PARTITIONS
        assert delivering.keeper.partitions == list(range(PARTITIONS))
    assert deliverers(log) == [None] * PARTITIONS


def test_leases_are_renewed_while_nothing_happens(log: Log) -> None:
    with Delivering(log, "a").working() as delivering:
        until(lambda: len(delivering.started) == PARTITIONS)
        time.sleep(1.5)
        assert deliverers(log) == ["a"] * PARTITIONS
        assert len(delivering.started) == PARTITIONS


def test_a_partition_is_handed_over_when_nobody_delivers_from_it_any_more(log: Log) -> None:
    first = Delivering(log, "a")
    first.ended = False
    with first.working():
        until(lambda: len(first.started) == PARTITIONS)
        with Delivering(log, "b").working() as second:
            until(lambda: len(first.stopping) == PARTITIONS // 2)
            time.sleep(0.3)
            assert second.started == []
            for stopped in first.stopping.values():
                stopped.set_result(None)
            until(lambda: len(second.started) == PARTITIONS // 2)
            assert sorted(first.keeper.partitions + second.keeper.partitions) == list(range(PARTITIONS))
        first.ended = True
        until(lambda: len(first.started) == PARTITIONS * 3 // 2)


def test_a_lease_under_which_somebody_was_refused_is_dropped_and_had_anew(log: Log) -> None:
    with Delivering(log, "a").working() as delivering:
        until(lambda: len(delivering.started) == PARTITIONS)
        old = delivering.started[0]
        delivering.keeper.lost(old)
        until(lambda: len(delivering.started) == PARTITIONS + 1)
        assert delivering.started[-1] == old._replace(epoch=old.epoch + 1)
        delivering.keeper.lost(old)  # it is over already
        time.sleep(0.3)
        assert len(delivering.started) == PARTITIONS + 1


def test_outputs_that_another_process_decides_are_told_of(log: Log) -> None:
    with Delivering(log, "a", told=lambda partition: partition == 1).working() as delivering:
        until(lambda: len(delivering.started) == PARTITIONS)
        for partition in (1, 2):
            Writer(log, partition).commit(outputs=[command(1)])
        until(lambda: delivering.news == [2])
        time.sleep(0.3)
        assert delivering.news == [2]


def test_a_log_that_fails_for_a_while_is_reported_and_waited_for(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    delivering = Delivering(log, "a")
    with delivering.working():
        until(lambda: len(delivering.started) == PARTITIONS)

        def fails(*args: object) -> None:
            raise LogUnavailable("no answer")

        with monkeypatch.context() as broken:
            broken.setattr(MemoryLog, "beat", fails)
            until(lambda: delivering.failures)
        until(lambda: deliverers(log) == ["a"] * PARTITIONS)
    assert [str(error) for error in delivering.failures] == ["no answer"]
