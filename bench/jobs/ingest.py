"""Ingest over HTTP, one event a request and in batches of BATCH, against a bare aiohttp handler that parses the JSON.

Two real servers on the first core, the load generator on the last, CONNECTIONS connections that each wait for their
answer; the time is that to the last answer, of batches that are decided that to the last commit. Once the engine
evaluates every event, delivers what one in twenty leads to and shows rows, all on the same core at the same time; and
once its rules hear nothing of these events, which leaves what ingest is by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.contestants import Rates, Round, compare
from bench.load import Generator, request
from bench.result import Result, of_rates, shown
from bench.server import bare, log_url, orchestrator, pin, reader, wait_evaluated
from bench.size import Size
from bench.workload import RULES, Orders, body

CONNECTIONS = 64
CUSTOMERS = 5_000
GOAL = 0.4
BATCH = 100
ACCEPTED, DECIDED = 60.0, 40.0
"""Thousands of events a second, in batches."""
LONGEST = 300.0


class Engine:
    def __init__(self, folder: str, requests: int, rules: str, batch: int = 1) -> None:
        self._orders = Orders(CUSTOMERS)
        self._requests = requests
        self._batch = batch
        self._server = orchestrator(Path(folder), rules)
        pin(-1)
        self._log = reader(log_url(Path(folder)))
        self._generator = Generator(self._server.address, CONNECTIONS)

    def round(self) -> Round:
        requests = _requests(self._orders, self._requests, self._batch)
        wait_evaluated(self._log, LONGEST)
        began = perf_counter()
        load = self._generator.saturate(requests)
        wait_evaluated(self._log, LONGEST)
        return Round(
            self._requests * self._batch, load.seconds, {"evaluated": perf_counter() - began, "busy": load.busy}
        )

    def close(self) -> None:
        self._generator.close()
        self._log.close()
        self._server.close()


class Bare:
    def __init__(self, folder: str, requests: int, batch: int = 1) -> None:
        self._orders = Orders(CUSTOMERS)
        self._requests = requests
        self._batch = batch
        self._server = bare(Path(folder))
        pin(-1)
        self._generator = Generator(self._server.address, CONNECTIONS)

    def round(self) -> Round:
        requests = _requests(self._orders, self._requests, self._batch)
        load = self._generator.saturate(requests)
        return Round(self._requests * self._batch, load.seconds, {"busy": load.busy})

    def close(self) -> None:
        self._generator.close()
        self._server.close()


def _requests(orders: Orders, requests: int, batch: int) -> list[bytes]:
    bodies = [body(order) for order in orders.some(requests * batch)]
    if batch == 1:
        return [request("/v1/events", each) for each in bodies]
    starts = range(0, len(bodies), batch)
    return [request("/v1/events", b"[" + b",".join(bodies[start : start + batch]) + b"]") for start in starts]


def run(size: Size, folder: Path) -> list[Result]:
    unheard = RULES.replace("order.placed", "order.returned")
    results = []
    for name, title, rules in (
        ("evaluated", "HTTP ingest, one event a request, all evaluated", RULES),
        ("unheard", "HTTP ingest, one event a request, no rule listens", unheard),
    ):
        ours, floor = _compared(folder / name, rules, size.requests, 1, size.rounds)
        results.append(of_rates(title, ours, floor, GOAL, _note(ours, floor)))
    requests = max(1, size.requests // 10)
    accepted, floor = _compared(folder / "accepted", unheard, requests, BATCH, size.rounds)
    title = f"HTTP ingest, batches of {BATCH}, accepted while no rule listens"
    results.append(_thousands(title, accepted, floor, [each.done / each.seconds for each in accepted.rounds], ACCEPTED))
    decided, floor = _compared(folder / "decided", RULES, requests, BATCH, size.rounds)
    title = f"HTTP ingest, batches of {BATCH}, all decided"
    rates = [each.done / each.more["evaluated"] for each in decided.rounds]
    results.append(_thousands(title, decided, floor, rates, DECIDED))
    return results


def _compared(place: Path, rules: str, requests: int, batch: int, rounds: int) -> tuple[Rates, Rates]:
    place.mkdir()
    options = {"folder": str(place), "requests": requests, "batch": batch}
    ours, floor = compare([(Engine, {**options, "rules": rules}), (Bare, options)], rounds)
    return ours, floor


def _thousands(title: str, ours: Rates, floor: Rates, rates: Sequence[float], goal: float) -> Result:
    """`rates`: what the goal is about, events a second of each round."""
    best, middle = max(rates) / 1e3, median(rates) / 1e3
    note = _note(ours, floor)
    return Result(title, shown(ours), shown(floor), best, middle, goal, "higher", "k/s", note)


def _note(ours: Rates, floor: Rates) -> str:
    evaluated = max(each.done / each.more["evaluated"] for each in ours.rounds)
    busiest = max(each.more["busy"] for each in ours.rounds + floor.rounds)
    return f"to the last commit {evaluated:,.0f}/s; the generator was busy at most {busiest:.0%}"
