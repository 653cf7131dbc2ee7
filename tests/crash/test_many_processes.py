"""Four servers share a log in Redis while they are killed and frozen beyond their lease: every command once.

Events are appended from here, with sequences, as fast as the log takes them in this test's short time. Rules fire on
keys of other partitions, too, so forwards cross between processes. In the end the log must hold exactly the commands of
a plain loop over the events, and a replay must find everything that is stored as it is.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from replay.verify import verify
from rules.compile import compile_rules
from rules.load import from_document
from streams.backends.open import open_log
from streams.event import Event, fingerprint
from streams.keys import partition_of
from streams.log import Append, Log, LogError
from streams.outputs import Command
from tests.conformance.redis_servers import script, start
from tests.crash.processes import READY, ServerProcess

RULES = """
ruleset: counting
projections:
  orders:
    fold:
      paid: {count: "(has(row.count) ? row.count : 0) + 1"}
  customers:
    by: event.data.customer
    fold:
      paid: {count: "(has(row.count) ? row.count : 0) + 1"}
rules:
  third:
    on: paid
    when: orders.count == 3
    then: [{command: praise, to: log, args: {n: "${orders.count}"}}]
  regular:
    on: paid
    by: event.data.customer
    when: customers.count % 10 == 0
    then: [{command: thank, to: log, args: {n: "${customers.count}"}}]
"""
TARGETS = "targets:\n  log: {kind: log}\n"
PARTITIONS = 16
WORKERS = 4
ORDERS, CUSTOMERS = 4_000, 300
LEASE = 1.0
SECONDS = 20.0
"""Of disturbance."""


def event(number: int) -> Event:
    order, customer = f"o{number % ORDERS}", f"c{number % CUSTOMERS}"
    data = msgspec.Raw(msgspec.json.encode({"customer": customer}))
    return Event(
        "paid",
        1_700_000_000_000_000 + number,
        order,
        order,
        "test",
        f"e{number}",
        fingerprint("test", f"e{number}"),
        data,
    )


def expected(count: int) -> Counter[tuple[str, str, int]]:
    """(command, key, n) of a loop over the first events."""
    orders: Counter[str] = Counter()
    customers: Counter[str] = Counter()
    found: Counter[tuple[str, str, int]] = Counter()
    for number in range(count):
        order, customer = f"o{number % ORDERS}", f"c{number % CUSTOMERS}"
        orders[order] += 1
        customers[customer] += 1
        if orders[order] == 3:
            found["praise", order, 3] += 1
        if customers[customer] % 10 == 0:
            found["thank", customer, customers[customer]] += 1
    return found


def decided(log: Log) -> Counter[tuple[str, str, int]]:
    found: Counter[tuple[str, str, int]] = Counter()
    for partition in range(PARTITIONS):
        after = 0
        while page := log.outputs(partition, after, 5_000)[1]:
            after += len(page)
            found.update((each.command, each.key, each.args["n"]) for each in page if isinstance(each, Command))
    return found


class Producer:
    """Appends events in order; what no answer came for is sent again, with the same sequences."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.sent = 0

    def send(self, count: int) -> None:
        by_partition: dict[int, tuple[list[Event], list[int]]] = {}
        for number in range(self.sent, self.sent + count):
            one = event(number)
            events, numbers = by_partition.setdefault(partition_of(one.key, PARTITIONS), ([], []))
            events.append(one)
            numbers.append(number)
        appends = [
            Append(partition, *(events, "producer", numbers)) for partition, (events, numbers) in by_partition.items()
        ]
        until = time.monotonic() + 30
        while True:
            try:
                self._log.append(appends)
                break
            except LogError:
                assert time.monotonic() < until
                time.sleep(0.1)
        self.sent += count


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Of Redis: its address."""
    folder = tmp_path / "redis"
    yield start(folder, ports=1)[0]
    script("stop", "--dir", str(folder))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_processes_that_are_killed_and_frozen_decide_everything_once(server: str, tmp_path: Path) -> None:
    rules, targets = tmp_path / "rules.yaml", tmp_path / "targets.yaml"
    rules.write_text(RULES)
    targets.write_text(TARGETS)
    url = f"redis://{server}/0?name=chaos"
    workers = [ServerProcess(tmp_path, rules, targets, PARTITIONS, log=url, name=f"worker{n}") for n in range(WORKERS)]
    chance = random.Random(4)
    frozen: dict[int, float] = {}
    kills = freezes = 0
    with closing(open_log(url, partitions=PARTITIONS, now=lambda: time.time_ns() // 1000)) as log:
        try:
            for worker in workers:
                worker.spawn(ORCHESTRATOR_LEASE=str(LEASE))
            for worker in workers:
                worker.wait_ready()
            producer = Producer(log)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                producer.send(500)
                time.sleep(0.05)
                for number, until in list(frozen.items()):
                    if time.monotonic() > until:
                        os.kill(workers[number].process.pid, signal.SIGCONT)
                        del frozen[number]
                number = chance.randrange(WORKERS)
                if chance.random() > 0.12 or number in frozen:
                    continue
                if chance.random() < 0.5:
                    workers[number].kill()
                    workers[number].spawn(ORCHESTRATOR_LEASE=str(LEASE))
                    kills += 1
                elif len(frozen) < WORKERS - 1:
                    os.kill(workers[number].process.pid, signal.SIGSTOP)
                    frozen[number] = time.monotonic() + LEASE * chance.uniform(0.5, 3)
                    freezes += 1
            for number in frozen:
                os.kill(workers[number].process.pid, signal.SIGCONT)
            assert kills >= 5
            assert freezes >= 5
            settled(log, expected(producer.sent))
            for worker in workers:
                assert worker.end(signal.SIGTERM) == 0, worker.said()
        finally:
            for worker in workers:
                with suppress(ProcessLookupError):
                    worker.clean_up()
        assert decided(log) == expected(producer.sent)
        assert verify(log, lambda body: compile_rules(from_document(body))).clean
        assert [status.owner for status in log.status()] == [None] * PARTITIONS


def settled(log: Log, wanted: Counter[tuple[str, str, int]]) -> None:
    """Waits until as many commands are decided as there must be; more than that fails at once."""
    until = time.monotonic() + 60 + READY
    while (found := decided(log).total()) < wanted.total():
        assert time.monotonic() < until, f"{found} of {wanted.total()} commands"
        time.sleep(0.2)
    assert found == wanted.total()
