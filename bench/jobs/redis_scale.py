"""Two processes that evaluate against one: the same events in two logs of 16 partitions on one Redis server.

Each process evaluates a fixed share of the partitions until nothing is left; the time of a round is that until the last
one has ended. Nothing is pinned: with two cores, two processes and Redis have to share them, and the note says what
Redis took.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.contestants import Process, Rates, Round
from bench.engine import now
from bench.redis_floor import ENTRY
from bench.redis_server import RedisServer, started
from bench.result import Result, of_rates
from bench.size import Size
from bench.workload import BATCH, Orders, processor
from streams.backends.open import open_log
from streams.event import ACTIVATED, Event, control
from streams.keys import partition_of
from streams.log import Append, Log
from streams.outputs import Output
from streams.routes import Router
from streams.worker import Worker

PARTITIONS = 16
CUSTOMERS = 5_000
BUDGET = 256 << 20
GOAL = 1.4


class Share:
    """A process that owns every `of`th partition, beginning with `share`. A round evaluates what is in them."""

    def __init__(self, url: str, share: int, of: int) -> None:
        self._log = open_log(url, now=now, create=False)
        self._workers = [self._worker(partition) for partition in range(share, PARTITIONS, of)]

    def _worker(self, partition: int) -> Worker:
        lease = self._log.acquire(partition, "bench", 3600.0)
        assert lease is not None
        router = Router(self._log, lease)
        router.start()

        def committed(first: int, outputs: list[Output]) -> None:
            router.send(first, outputs)

        compiled = processor()
        return Worker(self._log, lease, lambda digest: compiled, budget=BUDGET // PARTITIONS, committed=committed)

    def round(self) -> Round:
        began, cpu = time.perf_counter(), time.process_time()
        done = 0
        while worked := sum(worker.work(BATCH) for worker in self._workers):
            done += worked
        return Round(done, time.perf_counter() - began, {"cpu": time.process_time() - cpu})

    def close(self) -> None:
        self._log.close()


class Side:
    """A log, and how many processes evaluate it."""

    def __init__(self, stack: ExitStack, server: RedisServer, processes: int) -> None:
        self._server = server
        self._orders = Orders(CUSTOMERS)
        self._log = open_log(server.url(f"scale-{processes}"), partitions=PARTITIONS, now=now)
        stack.callback(self._log.close)
        event = control(ACTIVATED, {"digest": processor().digest}, time=0)
        self._log.append([Append(partition, [event]) for partition in range(PARTITIONS)])
        self._shares: list[Process] = []
        for share in range(processes):
            options = {"url": server.url(f"scale-{processes}"), "share": share, "of": processes}
            self._shares.append(Process(Share, options))
            stack.callback(self._shares[-1].close)
        _evaluate(self._shares)

    def round(self, events: int) -> Round:
        _fill(self._log, self._orders.some(events))
        began, used = time.perf_counter(), self._server.busy
        done = _evaluate(self._shares)
        took = time.perf_counter() - began
        assert done == events
        return Round(done, took, {"redis": (self._server.busy - used) / took})


def _evaluate(shares: Sequence[Process]) -> int:
    for share in shares:
        share.begin()
    return sum(share.end().done for share in shares)


def _fill(log: Log, events: Sequence[Event]) -> None:
    parts: dict[int, list[Event]] = {}
    for event in events:
        parts.setdefault(partition_of(event.key, PARTITIONS), []).append(event)
    log.append(
        [
            Append(partition, found[start : start + ENTRY])
            for partition, found in parts.items()
            for start in range(0, len(found), ENTRY)
        ]
    )


def run(size: Size, folder: Path) -> list[Result]:
    one, two = Rates(), Rates()
    with ExitStack() as stack:
        server = stack.enter_context(started(folder, pinned=False))
        sides = [(Side(stack, server, 2), two), (Side(stack, server, 1), one)]
        for side, _ in sides:
            side.round(size.events)
        for turn in range(size.rounds):
            for side, rates in sides if turn % 2 == 0 else reversed(sides):
                rates.rounds.append(side.round(size.events))
    note = f"Redis took {_redis(two):.0%} of a core under two processes, {_redis(one):.0%} under one"
    return [of_rates("loop on Redis, 16 partitions, two processes against one", two, one, GOAL, note)]


def _redis(rates: Rates) -> float:
    return sum(each.more["redis"] for each in rates.rounds) / len(rates.rounds)
