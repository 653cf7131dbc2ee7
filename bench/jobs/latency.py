"""From an event that is sent over HTTP to the commit that decided its command, RATE events a second offered.

Events are sent at fixed times whatever the answers do, and each one's time begins when it was due, so a server that
stalls is charged for all that had to wait. It ends when the command stands in the log for another process to read: an
observer in a process of its own asks SQLite every half millisecond whether the file has changed, and reads the outputs
when it has. It shares the core of the generator, not the server's; a reader holds up no writer, and nothing in the
server knows of it. So the figures hold up to a millisecond that is the observer's. About one event in twenty decides a
command; all are evaluated. Nobody is asked for delivery: the target is `log`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

from bench.contestants import Process, Round
from bench.load import Generator, request
from bench.result import Result
from bench.server import log_path, log_url, orchestrator, pin, reader, wait_evaluated
from bench.size import Size
from bench.workload import RULES, Orders, body
from streams.backends.sqlite.schema import connect
from streams.outputs import Command

CONNECTIONS = 64
CUSTOMERS = 5_000
RATE = 1_000.0
WARM = 0.1
"""The share of the load that comes first and does not count."""
LONGEST = 60.0
PAUSE = 0.0005


class Observer:
    """A round looks at the log for `seconds` and a second more; its `more` says when each command was first seen."""

    def __init__(self, folder: str, seconds: float) -> None:
        pin(-1)
        self._seconds = seconds
        self._log = reader(log_url(Path(folder)))
        self._db = connect(log_path(Path(folder)), synchronous="full", busy_timeout=5.0, cache_bytes=1 << 20)
        self._seen = {each.partition: each.outputs for each in self._log.status()}

    def round(self) -> Round:
        seen: dict[str, float] = {}
        until = time.monotonic() + self._seconds + 1.0
        version = 0
        while (now := time.monotonic()) < until:
            found = self._db.execute("PRAGMA data_version").fetchone()[0]
            if found == version:
                time.sleep(PAUSE)
                continue
            version = found
            for partition, last in self._seen.items():
                first, outputs = self._log.outputs(partition, last, 10_000)
                if outputs:
                    self._seen[partition] = first + len(outputs) - 1
                    now = time.monotonic()
                    seen.update((each.cause, now) for each in outputs if isinstance(each, Command))
        return Round(len(seen), self._seconds, seen)

    def close(self) -> None:
        self._db.close()
        self._log.close()


class Producer:
    """The server over the log at `url`, "" for a SQLite log in `folder`, and who sends to it. A round offers the events
    of `seconds`; its `more` says when each was due."""

    def __init__(self, folder: str, seconds: float, url: str = "") -> None:
        self._server = orchestrator(Path(folder), RULES, url=url)
        pin(-1)
        self._orders = Orders(CUSTOMERS).some(int(seconds * RATE))
        self._log = reader(url or log_url(Path(folder)))
        wait_evaluated(self._log, LONGEST)
        self._generator = Generator(self._server.address, CONNECTIONS)

    def round(self) -> Round:
        requests = [request("/v1/events", body(order)) for order in self._orders]
        due, load = self._generator.offer(requests, RATE)
        wait_evaluated(self._log, LONGEST)
        return Round(len(due), load.seconds, {order.id: at for order, at in zip(self._orders, due, strict=True)})

    def close(self) -> None:
        self._generator.close()
        self._log.close()
        self._server.close()


def delays(due: Mapping[str, float], seen: Mapping[str, float], seconds: float) -> list[float]:
    """Milliseconds from when an event was due to when its command was seen, for those that decided one."""
    warm = min(due.values()) + seconds * WARM
    return [(seen[id] - at) * 1_000 for id, at in due.items() if id in seen and at >= warm]


def run(size: Size, folder: Path) -> list[Result]:
    options = {"folder": str(folder), "seconds": size.seconds}
    with ExitStack() as stack:
        producer = Process(Producer, options)
        stack.callback(producer.close)
        observer = Process(Observer, options)
        stack.callback(observer.close)
        observer.begin()
        due = producer.round().more
        seen = observer.end().more
    times = delays(due, seen, size.seconds)
    at = quantiles(times, n=100, method="inclusive")
    note = f"{len(times):,} commands; longest {max(times):.1f} ms"
    title = f"event → command decided, {RATE:,.0f}/s over HTTP"
    return [
        Result(f"{title}, p50", f"{at[49]:.2f} ms", "", at[49], None, 5.0, "lower", "ms", note),
        Result(f"{title}, p99", f"{at[98]:.2f} ms", "", at[98], None, 25.0, "lower", "ms"),
    ]
