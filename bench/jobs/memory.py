"""Memory of a real server that holds a row and a pending deadline for each of many keys, with default settings; and
of one that holds a window of each beside.

The events are in the log before the server starts, one a key, so it evaluates at full speed with its largest batches,
and its query tables are filled beside it. Measured is the most that was ever resident (VmHWM), when everything is
evaluated and shown, not what is left in the end.
"""

from __future__ import annotations

import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from bench.result import Result
from bench.server import log_url, orchestrator, reader, wait_evaluated
from bench.size import Size
from bench.workload import Orders
from orchestrator.activation import activate
from orchestrator.wiring import wall_clock
from rules.load import load_sources
from streams.backends.open import open_log
from streams.event import Event
from streams.keys import partition_of
from streams.log import Append, Log
from streams.state import DAWN
from streams.worker import RULES as WORKER

GOAL = 1.2
LONGEST = 900.0
CHUNK = 20_000

RULES = """
ruleset: bench
projections:
  customers:
    initial: {orders: 0, spent: 0}
    fold:
      order.placed: {orders: row.orders + 1, spent: row.spent + event.data.amount, country: event.data.country}
rules:
  remind:
    on: order.placed
    after: 30d
    unless: order.paid
    then: [{command: remind, to: log, args: {customer: "${key}", amount: "${event.data.amount}"}}]
"""
WINDOW = """
  often:
    on: order.placed
    over: 30d
    having: count() >= 3
    then: [{command: greet, to: log, args: {customer: "${key}", spent: "${sum(event.data.amount)}"}}]
"""


def run(size: Size, folder: Path) -> list[Result]:
    keys = f"{size.keys:,}"
    return [
        _measured(size, folder / "deadlines", RULES, f"{keys} rows and as many pending deadlines"),
        _measured(size, folder / "windows", RULES + WINDOW, f"{keys} rows, pending deadlines and windows"),
    ]


def _measured(size: Size, folder: Path, rules: str, held: str) -> Result:
    folder.mkdir()
    last = _fill(size.keys, folder, rules)
    began = time.perf_counter()
    server = orchestrator(folder, rules, pinned=False)
    try:
        log = reader(log_url(folder))
        wait_evaluated(log, LONGEST, 0.1)
        took = time.perf_counter() - began
        pending = sum(_due(log, each.partition) for each in log.status())
        log.close()
        assert pending == size.keys, f"{pending:,} deadlines are pending"
        for name in last:
            _wait_shown(f"{server.address}/v1/projections/customers/{name}")
        gigabytes = server.peak / 1e9
    finally:
        server.close()
    note = f"evaluated in {took:.0f} s; the query tables are filled meanwhile"
    return Result(f"resident at most, {held}", f"{gigabytes:.2f} GB", "", gigabytes, None, GOAL, "lower", "GB", note)


def _fill(keys: int, folder: Path, rules: str) -> list[str]:
    """One event of every key, just before now, behind the activation of the rules. The last key of each partition."""
    orders = Orders(keys, start=wall_clock() - keys * 1_000)
    log = open_log(log_url(folder), now=wall_clock)
    activate(log, load_sources({"bench.yaml": rules}), wall_clock)
    last: dict[int, str] = {}
    for chunk in orders.one_each(CHUNK):
        parts: dict[int, list[Event]] = {}
        for event in chunk:
            parts.setdefault(partition_of(event.key, log.info.partitions), []).append(event)
        log.append([Append(partition, events) for partition, events in parts.items()])
        last.update((partition, events[-1].key) for partition, events in parts.items())
    log.close()
    return list(last.values())


def _due(log: Log, partition: int) -> int:
    count = 0
    after = (DAWN, "")
    while found := log.due(partition, WORKER, after, 100_000):
        count += len(found)
        after = found[-1]
    return count


def _wait_shown(address: str) -> None:
    """Rows of a partition are shown in the order of its commits: the last one says that all are."""
    deadline = time.monotonic() + LONGEST
    while True:
        try:
            urlopen(address, timeout=60).close()
            return
        except HTTPError as error:
            if error.code != 404 or time.monotonic() > deadline:
                raise
        time.sleep(0.1)
