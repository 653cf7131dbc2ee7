"""Ingest over HTTP, one event a request, against a bare aiohttp handler that parses the JSON.

Two real servers on the first core, the load generator on the last, CONNECTIONS connections that each wait for their
answer; the time is that to the last answer. Once the engine evaluates every event, delivers what one in twenty leads to
and shows rows, all on the same core at the same time; and once its rules hear nothing of these events, which leaves
what ingest is by itself.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from bench.contestants import Round, compare
from bench.load import Generator, request
from bench.result import Result, of_rates
from bench.server import bare, log_url, orchestrator, pin, reader, wait_evaluated
from bench.size import Size
from bench.workload import RULES, Orders, body

CONNECTIONS = 64
CUSTOMERS = 5_000
GOAL = 0.4
LONGEST = 300.0


class Engine:
    def __init__(self, folder: str, requests: int, rules: str) -> None:
        self._orders = Orders(CUSTOMERS)
        self._requests = requests
        self._server = orchestrator(Path(folder), rules)
        pin(-1)
        self._log = reader(log_url(Path(folder)))
        self._generator = Generator(self._server.address, CONNECTIONS)

    def round(self) -> Round:
        requests = [request("/v1/events", body(order)) for order in self._orders.some(self._requests)]
        wait_evaluated(self._log, LONGEST)
        began = perf_counter()
        load = self._generator.saturate(requests)
        wait_evaluated(self._log, LONGEST)
        return Round(self._requests, load.seconds, {"evaluated": perf_counter() - began, "busy": load.busy})

    def close(self) -> None:
        self._generator.close()
        self._log.close()
        self._server.close()


class Bare:
    def __init__(self, folder: str, requests: int) -> None:
        self._orders = Orders(CUSTOMERS)
        self._requests = requests
        self._server = bare(Path(folder))
        pin(-1)
        self._generator = Generator(self._server.address, CONNECTIONS)

    def round(self) -> Round:
        requests = [request("/v1/events", body(order)) for order in self._orders.some(self._requests)]
        load = self._generator.saturate(requests)
        return Round(self._requests, load.seconds, {"busy": load.busy})

    def close(self) -> None:
        self._generator.close()
        self._server.close()


def run(size: Size, folder: Path) -> list[Result]:
    cases = (
        ("evaluated", "HTTP ingest, one event a request, all evaluated", RULES),
        (
            "unheard",
            "HTTP ingest, one event a request, no rule listens",
            RULES.replace("order.placed", "order.returned"),
        ),
    )
    results = []
    for name, title, rules in cases:
        place = folder / name
        place.mkdir()
        options = {"folder": str(place), "requests": size.requests}
        ours, floor = compare([(Engine, {**options, "rules": rules}), (Bare, options)], size.rounds)
        evaluated = max(each.done / each.more["evaluated"] for each in ours.rounds)
        busiest = max(each.more["busy"] for each in ours.rounds + floor.rounds)
        note = f"to the last commit {evaluated:,.0f}/s; the generator was busy at most {busiest:.0%}"
        results.append(of_rates(title, ours, floor, GOAL, note))
    return results
