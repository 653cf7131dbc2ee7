"""From an event to the commit that decided its command, on Redis, at 1,000 and at 20,000 events a second.

At 1,000/s the way of `bench/jobs/latency.py`: a real server in all its roles, one event a request over HTTP, and the
time begins when the event was due to be sent. At 20,000/s nobody can send one event a request here: a bare aiohttp
handler takes 12,000/s of a core. So a client appends to the log itself, 100 events every 5 ms as one idempotent append
a partition, and an agent evaluates them in a process without HTTP, delivery and query tables, as where the roles are
split; the time begins when the batch was due. An observer in a process of its own follows the outputs. Four processes
share the machine's cores: at 1,000/s the server has the first and who sends and looks the last; at 20,000/s nothing is
pinned.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

from bench.contestants import Process, Round
from bench.jobs.latency import CUSTOMERS, LONGEST, RATE, Producer, delays
from bench.redis_server import started
from bench.result import Result
from bench.server import reader, wait_evaluated
from bench.size import Size
from bench.workload import RULES, Orders
from orchestrator.activation import Processors, activate
from orchestrator.wiring import wall_clock
from rules.load import load_sources
from streams.agent import Agent
from streams.backends.open import open_log
from streams.event import Event
from streams.keys import partition_of
from streams.log import Append
from streams.outputs import Command

FAST = 20_000.0
BATCH = 100
GOAL = 15.0
FAST_GOAL = 50.0
LOOK = 0.1


class Observer:
    """A round follows the outputs for `seconds` and a second more; its `more` says when each command was first seen."""

    def __init__(self, url: str, seconds: float) -> None:
        self._seconds = seconds
        self._log = reader(url)
        self._seen = {each.partition: each.outputs for each in self._log.status()}

    def round(self) -> Round:
        seen: dict[str, float] = {}
        until = time.monotonic() + self._seconds + 1.0
        while time.monotonic() < until:
            for partition in self._log.follow_outputs(self._seen, LOOK):
                first, outputs = self._log.outputs(partition, self._seen[partition], 10_000)
                now = time.monotonic()
                self._seen[partition] = first + len(outputs) - 1
                seen.update((each.cause, now) for each in outputs if isinstance(each, Command))
        return Round(len(seen), self._seconds, seen)

    def close(self) -> None:
        self._log.close()


class Evaluation:
    """An agent that owns all partitions, in a thread of its process, from when this is made to its end."""

    def __init__(self, url: str) -> None:
        self._log = open_log(url, now=wall_clock)
        activate(self._log, load_sources({"bench.yaml": RULES}), wall_clock)
        agent = Agent(self._log, "bench", Processors(self._log), monotonic=time.monotonic)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=agent.run, args=(self._stop,))
        self._thread.start()

    def round(self) -> Round:
        """Waits until everything is evaluated."""
        began = time.monotonic()
        wait_evaluated(self._log, LONGEST)
        return Round(0, time.monotonic() - began)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(LONGEST)
        self._log.close()


class Appender:
    """A round appends the events of `seconds`; its `more` says when each was due, and how long it was ever behind."""

    def __init__(self, url: str, seconds: float) -> None:
        self._log = reader(url)
        partitions = self._log.info.partitions
        sent = [0] * partitions
        orders = Orders(CUSTOMERS).some(int(seconds * FAST))
        self._batches: list[tuple[list[str], list[Append]]] = []
        for start in range(0, len(orders), BATCH):
            parts: dict[int, list[Event]] = {}
            for order in orders[start : start + BATCH]:
                parts.setdefault(partition_of(order.key, partitions), []).append(order)
            appends = []
            for partition, events in parts.items():
                first = sent[partition]
                sent[partition] += len(events)
                appends.append(Append(partition, events, "bench", range(first, sent[partition])))
            self._batches.append(([order.id for order in orders[start : start + BATCH]], appends))

    def round(self) -> Round:
        due: dict[str, float] = {}
        began = time.monotonic() + 0.01
        for number, (ids, appends) in enumerate(self._batches):
            at = began + number * BATCH / FAST
            if (left := at - time.monotonic()) > 0:
                time.sleep(left)
            due.update((id, at) for id in ids)
            self._log.append(appends)
        return Round(len(due), time.monotonic() - began, due)

    def close(self) -> None:
        self._log.close()


def run(size: Size, folder: Path) -> list[Result]:
    results = []
    with started(folder, pinned=False) as server:
        url = server.url("http")
        with ExitStack() as stack:
            producer = _open(stack, Process(Producer, {"folder": str(folder), "seconds": size.seconds, "url": url}))
            observer = _open(stack, Process(Observer, {"url": url, "seconds": size.seconds}))
            observer.begin()
            due = producer.round()
            seen = observer.end()
        results.append(_result(f"{RATE:,.0f}/s over HTTP", due, seen, size.seconds, GOAL))
        url = server.url("direct")
        with ExitStack() as stack:
            evaluation = _open(stack, Process(Evaluation, {"url": url}))
            evaluation.round()
            appender = _open(stack, Process(Appender, {"url": url, "seconds": size.seconds}))
            observer = _open(stack, Process(Observer, {"url": url, "seconds": size.seconds}))
            observer.begin()
            used = server.busy
            due = appender.round()
            share = (server.busy - used) / due.seconds
            evaluation.round()
            seen = observer.end()
        note = f"; Redis took {share:.0%} of a core"
        results.append(_result(f"{FAST:,.0f}/s by appends", due, seen, size.seconds, FAST_GOAL, note))
    return results


def _open(stack: ExitStack, process: Process) -> Process:
    stack.callback(process.close)
    return process


def _result(title: str, due: Round, seen: Round, seconds: float, goal: float, more: str = "") -> Result:
    times = delays(due.more, seen.more, seconds)
    at = quantiles(times, n=100, method="inclusive")
    note = f"p50 {at[49]:.1f} ms; {len(times):,} commands; longest {max(times):.1f} ms{more}"
    title = f"event → command decided on Redis, {title}, p99"
    return Result(title, f"{at[98]:.2f} ms", "", at[98], None, goal, "lower", "ms", note)
