"""A row by its key over HTTP, against a bare aiohttp handler that answers a constant of the same size.

Both servers on the first core, the load generator on the last, CONNECTIONS connections that each wait for their answer.
Every key is asked for as often as the others, in an order of chance, and all rows are shown before the first is.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from urllib.request import urlopen

from bench.contestants import Round, compare
from bench.load import Generator, asked, request
from bench.result import Result, of_rates
from bench.server import bare, log_url, orchestrator, pin, reader, wait_evaluated
from bench.size import Size
from bench.workload import RULES, Orders, body

CONNECTIONS = 64
CUSTOMERS = 5_000
GOAL = 0.5
LONGEST = 60.0


class _Asking:
    """`paths` are asked for in each round."""

    def __init__(self, address: str, requests: int) -> None:
        self._requests = requests
        self._chance = random.Random(1)
        self._generator = Generator(address, CONNECTIONS)
        self.paths: list[str] = []

    def round(self) -> Round:
        requests = [asked(self._chance.choice(self.paths)) for _ in range(self._requests)]
        load = self._generator.saturate(requests)
        return Round(self._requests, load.seconds, {"busy": load.busy})


class Engine(_Asking):
    def __init__(self, folder: str, requests: int, customers: int) -> None:
        self._server = orchestrator(Path(folder), RULES)
        pin(-1)
        super().__init__(self._server.address, requests)
        orders = list(next(Orders(customers).one_each(customers)))
        self._generator.saturate([request("/v1/events", body(order)) for order in orders])
        log = reader(log_url(Path(folder)))
        wait_evaluated(log, LONGEST)
        log.close()
        self.paths = [f"/v1/projections/customers/{order.key}" for order in orders]
        wait_shown(self._server.address, LONGEST)

    def close(self) -> None:
        self._generator.close()
        self._server.close()


class Bare(_Asking):
    def __init__(self, folder: str, requests: int, customers: int, size: int) -> None:
        self._server = bare(Path(folder))
        pin(-1)
        super().__init__(self._server.address, requests)
        self.paths = [f"/constant/{size}/{number}" for number in range(customers)]

    def close(self) -> None:
        self._generator.close()
        self._server.close()


def wait_shown(address: str, longest: float) -> None:
    """Until the rows show all that is in the log."""
    deadline = time.monotonic() + longest
    while any(each["lag"] for each in json.loads(urlopen(f"{address}/v1/projections").read())["projections"]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"rows are not shown after {longest:.0f} s")
        time.sleep(0.01)


def run(size: Size, folder: Path) -> list[Result]:
    row = {"orders": 1, "spent": 1234.56, "largest": 1234.56, "country": "IT"}
    answer = json.dumps({"key": "customer-0000000", "row": row, "as_of": "1.0.1000"}, separators=(",", ":"))
    options = {"folder": str(folder), "requests": size.requests, "customers": min(CUSTOMERS, size.keys)}
    ours, floor = compare([(Engine, options), (Bare, {**options, "size": len(answer)})], size.rounds)
    busiest = max(each.more["busy"] for each in ours.rounds + floor.rounds)
    note = f"the generator was busy at most {busiest:.0%}"
    return [of_rates("row by key over HTTP", ours, floor, GOAL, note)]
