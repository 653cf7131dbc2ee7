"""Appending to Redis: our log, 100 events a call with producer and sequences, against single XADDs of the same events.

The one peer is a pipeline of redis-py, 100 XADDs at a time, of lines that are encoded already; the other is
`redis-benchmark`, one client, pipelines of 100, with a value as long as our lines are on average. Neither recognises
what it has stored before; ours encodes the events, draws their offsets and does. Redis has the first core and whoever's
turn it is the last.
"""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.contestants import Round, compare
from bench.engine import now
from bench.redis_server import HOST, RedisServer, started
from bench.result import Result, of_rates
from bench.server import pin
from bench.size import Size
from bench.workload import Orders
from streams.backends.open import open_log
from streams.event import encode
from streams.log import Append

BATCH = 100
CUSTOMERS = 5_000
PIPELINE_GOAL = 3.0
BENCHMARK_GOAL = 0.8
LONGEST = 300.0


class Ours:
    def __init__(self, url: str, events: int) -> None:
        pin(-1)
        self._events = events
        self._orders = Orders(CUSTOMERS)
        self._log = open_log(url, partitions=1, now=now)
        self._next = 0

    def round(self) -> Round:
        events = self._orders.some(self._events)
        began = time.perf_counter()
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            sequences = range(self._next, self._next + len(batch))
            (answer,) = self._log.append([Append(0, batch, "bench", sequences)])
            assert answer.stored == len(batch)
            self._next += len(batch)
        return Round(self._events, time.perf_counter() - began)

    def close(self) -> None:
        self._log.close()


class Pipeline:
    def __init__(self, server: RedisServer, events: int) -> None:
        pin(-1)
        self._events = events
        self._orders = Orders(CUSTOMERS)
        self._client = server.client()

    def round(self) -> Round:
        self._client.delete("pipeline")
        fields: list[dict[Any, Any]] = [{"d": encode([order])} for order in self._orders.some(self._events)]
        began = time.perf_counter()
        for start in range(0, len(fields), BATCH):
            pipe = self._client.pipeline(transaction=False)
            for each in fields[start : start + BATCH]:
                pipe.xadd("pipeline", each)
            pipe.execute()
        return Round(self._events, time.perf_counter() - began)

    def close(self) -> None:
        self._client.close()


class Benchmark:
    """`redis-benchmark` counts whole milliseconds: fewer than `SHORTEST` events may take none, a rate without end."""

    SHORTEST = 20_000

    def __init__(self, server: RedisServer, events: int) -> None:
        pin(-1)
        self._events = max(events, self.SHORTEST)
        self._server = server
        self._client = server.client()
        self._value = "x" * (len(encode(Orders(CUSTOMERS).some(1_000))) // 1_000)

    def round(self) -> Round:
        self._client.delete("benchmark")
        command = ["redis-benchmark", "-h", HOST, "-p", str(self._server.port), "-c", "1", "-P", str(BATCH), "-q"]
        command += ["-n", str(self._events), "XADD", "benchmark", "*", "d", self._value]
        said = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=True).stdout
        rate = float(re.findall(r"([\d.]+) requests per second", said)[-1])
        return Round(self._events, self._events / rate)

    def close(self) -> None:
        self._client.close()


def run(size: Size, folder: Path) -> list[Result]:
    with started(folder) as server:
        ours, pipeline, benchmark = compare(
            [
                (Ours, {"url": server.url("append"), "events": size.events}),
                (Pipeline, {"server": server, "events": size.events}),
                (Benchmark, {"server": server, "events": size.events}),
            ],
            size.rounds,
        )
    title = f"append to Redis, {BATCH} events a call"
    return [
        of_rates(f"{title}, against redis-py", ours, pipeline, PIPELINE_GOAL, f"pipelines of {BATCH} XADDs"),
        of_rates(f"{title}, against redis-benchmark", ours, benchmark, BENCHMARK_GOAL, f"XADD -P {BATCH} -c 1"),
    ]
