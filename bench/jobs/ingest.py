"""Ingest over HTTP, one event a request, against a bare aiohttp handler that parses the JSON.

Two real servers on the first core, the load generator on the last, CONNECTIONS connections that each wait for their
answer. The engine's agent evaluates, and its delivery delivers, at the same time on the same core; the time is that to
the last answer, and the note says what it is to the last evaluation.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from bench.contestants import Round, compare
from bench.load import Generator, request
from bench.result import Result, of_rates
from bench.server import bare, orchestrator, pin, reader, wait_evaluated
from bench.size import Size
from bench.workload import RULES, Orders, body

CONNECTIONS = 64
CUSTOMERS = 5_000
GOAL = 0.4
LONGEST = 300.0


class Engine:
    def __init__(self, folder: str, requests: int) -> None:
        self._orders = Orders(CUSTOMERS)
        self._requests = requests
        self._server = orchestrator(Path(folder), RULES)
        pin(-1)
        self._log = reader(Path(folder))
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
    options = {"folder": str(folder), "requests": size.requests}
    ours, floor = compare([(Engine, options), (Bare, options)], size.rounds)
    evaluated = max(each.done / each.more["evaluated"] for each in ours.rounds)
    busiest = max(each.more["busy"] for each in ours.rounds + floor.rounds)
    note = f"to the last evaluation {evaluated:,.0f}/s; the generator was busy at most {busiest:.0%}"
    return [of_rates("HTTP ingest, one event a request", ours, floor, GOAL, note)]
