"""What noise in some partitions costs the others on Redis: p99 from an event to its command, against a calm round.

Two processes share the partitions. RATE events a second go to the quiet ones, each decides a command, and an observer
follows their outputs. Some rounds are calm. In others the first partition of each process has so much poison that it
is busy with it to the end; or QUEUE events behind a blocked key, which is freed in the middle of the round; or one of
the processes stands still for four fifths of the time, and quiet are the partitions of the other. Poison is a type of
event that the rules are made to fail at, as by a bug.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

import msgspec

from bench.contestants import Process, Round
from bench.jobs.latency import LONGEST, delays
from bench.jobs.redis_latency import Observer
from bench.redis_server import started
from bench.result import Result
from bench.server import reader, wait_evaluated
from bench.size import Size
from bench.workload import LARGE, RULES
from orchestrator.activation import Processors, activate
from orchestrator.wiring import wall_clock
from rules.load import load_sources
from streams.agent import Agent
from streams.backends.open import open_log
from streams.event import SKIPPED, Event, control, fingerprint
from streams.keys import partition_of
from streams.log import Append, Batch, Log
from streams.processor import Poisoned, Processor, Step

RATE = 1_000
BATCH = 10
BAD = "bad"
POISON = 2_000
"""Events a second of a round: more than a partition gets rid of."""
QUEUE = 100_000
PERIOD = 0.5
AWAKE = 0.2
ROUNDS = 3
GOAL = 2.0
SHARE = 0.25
"""Of the seconds that a load is offered for: there are many rounds."""


class Faulty:
    """A processor that fails at one type of event."""

    def __init__(self, inner: Processor) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def step(self, batch: Batch, step: Step) -> None:
        at = next((place for place, event in enumerate(batch.events) if event.type == BAD), None)
        if at is None:
            self._inner.step(batch, step)
            return
        self._inner.step(Batch(batch.offsets[:at], batch.events[:at]), step)
        raise Poisoned(batch.offsets[at], batch.events[at], "a bug")


class Evaluation:
    """An agent in a thread of its process, from when this is made to its end. A round says which process that is."""

    def __init__(self, url: str, name: str) -> None:
        self._log = open_log(url, now=wall_clock)
        activate(self._log, load_sources({"bench.yaml": RULES}), wall_clock)
        processors = Processors(self._log)
        agent = Agent(self._log, name, lambda digest: Faulty(processors(digest)), monotonic=time.monotonic)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=agent.run, args=(self._stop,))
        self._thread.start()

    def round(self) -> Round:
        return Round(0, 1.0, {"pid": os.getpid()})

    def close(self) -> None:
        self._stop.set()
        self._thread.join(LONGEST)
        self._log.close()


class QuietObserver(Observer):
    """Of some partitions."""

    def __init__(self, url: str, seconds: float, partitions: Sequence[int]) -> None:
        super().__init__(url, seconds)
        self._seen = {partition: self._seen[partition] for partition in partitions}


class Load:
    """What is published, by partition."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._partitions = log.info.partitions
        self._chance = random.Random(1)
        self._made = 0
        self._keys: dict[int, list[str]] = {}
        for number in range(200 * self._partitions):
            self._keys.setdefault(partition_of(f"k{number}", self._partitions), []).append(f"k{number}")

    def event(self, type: str, key: str, amount: int = LARGE) -> Event:
        self._made += 1
        id = f"e{self._made}"
        data = msgspec.Raw(b'{"amount":%d,"country":"NL","items":1,"sku":"a"}' % amount)
        return Event(type, self._made, key, key, "bench", id, fingerprint("bench", id), data)

    def offer(self, partitions: Sequence[int], seconds: float) -> dict[str, float]:
        """For each event, when it was due."""
        due: dict[str, float] = {}
        began = time.monotonic() + 0.01
        for number in range(max(int(seconds * RATE / BATCH), 1)):
            at = began + number * BATCH / RATE
            parts: dict[int, list[Event]] = {}
            for _ in range(BATCH):
                partition = self._chance.choice(partitions)
                event = self.event("order.placed", self._chance.choice(self._keys[partition]))
                parts.setdefault(partition, []).append(event)
                due[event.id] = at
            if (left := at - time.monotonic()) > 0:
                time.sleep(left)
            self._log.append([Append(partition, events) for partition, events in parts.items()])
        return due

    def flood(self, partitions: Sequence[int], turn: int, count: int) -> None:
        """Of poison, each with a key of its own."""
        for partition in partitions:
            self._append(partition, [self.event(BAD, f"bad{turn}-{number}") for number in range(count)])

    def queue(self, partition: int, key: str, count: int) -> None:
        self._append(partition, [self.event(BAD, key), *(self.event("order.placed", key, 1) for _ in range(count))])

    def free(self, partition: int, key: str) -> None:
        self._log.append([Append(partition, [control(SKIPPED, {}, time=1, key=key)])])

    def _append(self, partition: int, events: Sequence[Event]) -> None:
        for start in range(0, len(events), 5_000):
            self._log.append([Append(partition, events[start : start + 5_000])])


class Stage:
    """Two processes that share the partitions of a log, for a few rounds."""

    def __init__(self, url: str, seconds: float, ends: ExitStack) -> None:
        self._url, self._seconds = url, seconds
        processes = {}
        for name in ("one", "two"):
            process = Process(Evaluation, {"url": url, "name": name})
            ends.callback(process.close)
            processes[name] = process
        self._log = reader(url)
        ends.callback(self._log.close)
        self.load = Load(self._log)
        shares = self._shares()
        self.slow = int(processes["two"].round().more["pid"])
        self.noisy = [min(share) for share in shares.values()]
        self.quiet = [each for share in shares.values() for each in share if each not in self.noisy]
        self.quick = [each for each in shares["one"] if each not in self.noisy]

    def _shares(self) -> dict[str, list[int]]:
        deadline = time.monotonic() + LONGEST
        while True:
            found: dict[str, list[int]] = {}
            for status in self._log.status():
                found.setdefault(status.owner or "", []).append(status.partition)
            if found.keys() == {"one", "two"} and len({len(each) for each in found.values()}) == 1:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"two processes do not share the partitions: {found}")
            time.sleep(0.05)

    def p99(self, partitions: Sequence[int]) -> float:
        """Milliseconds, of a load that these partitions get now."""
        options = {"url": self._url, "seconds": self._seconds, "partitions": partitions}
        observer = Process(QuietObserver, options)
        try:
            observer.begin()
            due = self.load.offer(partitions, self._seconds)
            seen = observer.end().more
        finally:
            observer.close()
        times = delays(due, seen, self._seconds)
        if len(times) < 0.8 * len(due):
            raise RuntimeError(f"{len(times):,} of {len(due):,} events were decided while somebody looked")
        return quantiles(times, n=100, method="inclusive")[98]

    def settle(self) -> None:
        wait_evaluated(self._log, 5 * LONGEST)

    @contextmanager
    def slowed(self) -> Iterator[None]:
        over = threading.Event()

        def drag() -> None:
            while not over.is_set():
                os.kill(self.slow, signal.SIGSTOP)
                over.wait(PERIOD * (1 - AWAKE))
                os.kill(self.slow, signal.SIGCONT)
                over.wait(PERIOD * AWAKE)

        thread = threading.Thread(target=drag)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def run(size: Size, folder: Path) -> list[Result]:
    seconds = size.seconds * SHARE
    queued, poison = int(QUEUE * min(seconds, 1)), int(seconds * POISON)
    calm, slow, queue, flood = (list[float]() for _ in range(4))
    with started(folder, pinned=False) as server, ExitStack() as ends:
        stage = Stage(server.url("noise"), seconds, ends)
        for turn in range(min(size.rounds, ROUNDS)):
            stage.settle()
            calm.append(stage.p99(stage.quiet))

            with stage.slowed():
                slow.append(stage.p99(stage.quick))
            stage.settle()

            key = f"blocked{turn}"
            stage.load.queue(stage.noisy[0], key, queued)
            middle = threading.Timer(seconds / 2, stage.load.free, (stage.noisy[0], key))
            middle.start()
            queue.append(stage.p99(stage.quiet))
            middle.join()
            stage.settle()

            stage.load.flood(stage.noisy, turn, poison)
            flood.append(stage.p99(stage.quiet))
    return [
        _result("a flood of poison in two", flood, calm, f"{poison:,} events in each, all keys different"),
        _result("a long queue in one", queue, calm, f"{queued:,} events behind a blocked key, freed in the middle"),
        _result("one of two processes slow", slow, calm, f"it runs {AWAKE:.0%} of the time; the other's partitions"),
    ]


def _result(title: str, noisy: list[float], calm: list[float], note: str) -> Result:
    title = f"event → command decided on Redis, {title}, p99 of other partitions against calm"
    shown = [f"{min(each):.1f} ms ({median(each):.1f})" for each in (noisy, calm)]
    by_medians = median(noisy) / median(calm)
    return Result(title, *shown, min(noisy) / min(calm), by_medians, GOAL, "lower", "×", note)
