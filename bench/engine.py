"""The engine's side of the loop: the worker of one partition over a log, as the agent drives it."""

from __future__ import annotations

import time

from bench.contestants import Round
from bench.server import pin
from bench.workload import BATCH, MIXED, RULES, Orders, processor
from streams.backends.open import open_log
from streams.cells import BASE_BYTES, GROWTH
from streams.event import ACTIVATED, Event, control
from streams.log import Append
from streams.outputs import Output
from streams.routes import Router
from streams.state import Cell, encode_cell
from streams.worker import Worker


def now() -> int:
    return time.time_ns() // 1000


class Engine:
    """`cached` customers fit into the cache. With `warm`, each has an order before the first round. Events are appended
    `entry` at a time (0: all of a round at once); `pinned` leaves the first core to who else has work, `mixed` has
    rules of all kinds."""

    def __init__(
        self,
        url: str,
        keys: int,
        cached: int,
        events: int,
        warm: bool,
        entry: int = 0,
        pinned: bool = False,
        mixed: bool = False,
    ) -> None:
        if pinned:
            pin(-1)
        self._events = events
        self._entry = entry
        self._orders = Orders(keys)
        self.log = open_log(url, partitions=1, now=now)
        lease = self.log.acquire(0, "bench", 3600.0)
        assert lease is not None
        compiled = processor(MIXED if mixed else RULES)
        router = Router(self.log, lease)
        router.start()

        def committed(first: int, outputs: list[Output]) -> None:
            router.send(first, outputs)

        budget = cached * (BASE_BYTES + GROWTH * self._cell_bytes(mixed))
        self.worker = Worker(self.log, lease, lambda digest: compiled, budget=budget, committed=committed)
        self.log.append([Append(0, [control(ACTIVATED, {"digest": compiled.digest}, time=0)])])
        self.work()
        if warm:
            for chunk in self._orders.one_each(100_000):
                self.append(chunk, entry)
                self.work()

    @staticmethod
    def _cell_bytes(mixed: bool) -> int:
        row = {"orders": 10, "spent": 12345.67, "largest": 9876.54, "country": "IT"}
        cell = Cell(clock=2**50, rows={"0123456789abcdef": row})
        if mixed:
            # with the orders of a minute in the window, when 5,000 customers share a thousand a second
            cell.nodes["0123456789ab"] = [[2**50, 1], [2**50] * 12, 0, None, None, None, [1234.56] * 12]
        return len(encode_cell(cell))

    def prepare(self) -> None:
        self.append(self._orders.some(self._events), self._entry)

    def append(self, events: list[Event], entry: int) -> None:
        step = entry or len(events)
        self.log.append([Append(0, events[start : start + step]) for start in range(0, len(events), step)])

    def work(self) -> int:
        done = 0
        while worked := self.turn():
            done += worked
        return done

    def turn(self) -> int:
        return self.worker.work(BATCH)

    def round(self) -> Round:
        self.prepare()
        began = time.perf_counter()
        done = self.work()
        took = time.perf_counter() - began
        assert done == self._events
        return Round(done, took)

    def close(self) -> None:
        self.log.close()
