"""What happens and what must come of it, however the processes that evaluate it are treated.

Every order has twenty events, all of one key, which are folded into a chain that any event that is missing, doubled or
out of order would change. One event in twenty also counts for its customer, whose key lies elsewhere: events of
several partitions meet there in an order that no two runs share, so customers only count and add up, and of a
customer's command the count is compared, not the event that happened to reach it. Everything else is compared to the
last byte, ids of commands included: the rows of a key, the commands of orders, the deadlines.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from rules.compile import compile_rules
from rules.load import from_document, load_sources
from rules.processor import RulesProcessor
from streams.agent import Agent
from streams.backends.open import open_log
from streams.event import ACTIVATED, Event, control, fingerprint
from streams.keys import partition_of
from streams.log import Append, Log
from streams.outputs import Command
from tests.crash.wreck import behind, rows

RULES: Final = """
ruleset: storm
projections:
  orders:
    fold:
      paid:
        count: "(has(row.count) ? row.count : 0) + 1"
        chain: "((has(row.chain) ? row.chain : 7) * 31 + event.data.n) % 1000003"
  customers:
    by: event.data.customer
    fold:
      noticed:
        count: "(has(row.count) ? row.count : 0) + 1"
        sum: "(has(row.sum) ? row.sum : 0) + event.data.n"
rules:
  third:
    on: paid
    when: event.data.big && orders.count == 3
    then: [{command: praise, to: log, args: {chain: "${orders.chain}"}}]
  overdue:
    on: paid
    when: event.data.big && orders.count == 1
    after: 1h
    then: [{command: remind, to: log, args: {n: "${event.data.n}"}}]
  regular:
    on: noticed
    by: event.data.customer
    when: customers.count % 20 == 0
    then: [{command: thank, to: log, args: {n: "${customers.count}"}}]
"""
TARGETS: Final = "targets:\n  log: {kind: log}\n"
PARTITIONS: Final = 16
BLOCK: Final = 20_000
"""Events after which orders are new ones."""
ORDERS: Final = 1_000
"""Of one block."""
CUSTOMERS: Final = 100
BEGIN: Final = 1_700_000_000_000_000
SPACING: Final = 50
"""Microseconds between two events: they happened long ago, so every deadline is due."""


def event(number: int) -> Event:
    block, index = divmod(number, BLOCK)
    order = f"o{block}-{index % ORDERS}"
    noticed = index // ORDERS == 19
    data = {"n": number, "customer": f"c{number % CUSTOMERS}", "big": index % ORDERS % 13 == 0}
    return Event(
        "noticed" if noticed else "paid",
        BEGIN + number * SPACING,
        order,
        order,
        "storm",
        f"e{number}",
        fingerprint("storm", f"e{number}"),
        msgspec.Raw(msgspec.json.encode(data)),
    )


def appends(start: int, stop: int) -> list[Append]:
    """Events by partition, each with its number as the sequence of one producer."""
    parts: dict[int, tuple[list[Event], list[int]]] = {}
    for number in range(start, stop):
        one = event(number)
        events, numbers = parts.setdefault(partition_of(one.key, PARTITIONS), ([], []))
        events.append(one)
        numbers.append(number)
    return [Append(partition, *(events, "load", numbers)) for partition, (events, numbers) in parts.items()]


class Outcome(NamedTuple):
    """Of a whole log."""

    rows: dict[int, tuple[int, int]]
    """Partition → how many, and the sum of their digests."""
    commands: Counter[tuple[str, ...]]

    def differences(self, wanted: Outcome) -> list[str]:
        """In words, the first few; none if it is as wanted."""
        found = [
            f"partition {partition}: rows and digest are {self.rows.get(partition)}, not {each}"
            for partition, each in wanted.rows.items()
            if self.rows.get(partition) != each
        ]
        missing, extra = wanted.commands - self.commands, self.commands - wanted.commands
        for what, which in (("missing", missing), ("too many", extra)):
            if which:
                found.append(f"{which.total()} commands {what}, as {', '.join(map(str, list(which)[:3]))}")
        return found


def outcome(log: Log) -> Outcome:
    shown = dict.fromkeys(range(PARTITIONS), (0, 0))
    for key, held in rows(log):
        partition = partition_of(key, PARTITIONS)
        for name, row in held.items():
            count, total = shown[partition]
            text = msgspec.json.encode((name, key, row), order="sorted")
            digest = int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
            shown[partition] = (count + 1, (total + digest) % 2**64)
    return Outcome(shown, commands(log))


def commands(log: Log) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for partition in range(PARTITIONS):
        after = 0
        while page := log.outputs(partition, after, 5_000)[1]:
            after += len(page)
            found.update(_identity(each) for each in page if isinstance(each, Command))
    return found


def _identity(command: Command) -> tuple[str, ...]:
    id = "" if command.rule == "regular" else command.id
    return command.rule, command.key, str(command.args), id


def compiled() -> RulesProcessor:
    return compile_rules(load_sources({"storm.yaml": RULES}))


def undisturbed(folder: Path, count: int) -> Outcome:
    """What the embedded log makes of the first `count` events, with one agent that nothing happens to."""

    def now() -> int:
        return time.time_ns() // 1000

    processor = compiled()
    url = f"sqlite:///{folder}/undisturbed.db?synchronous=normal"
    with closing(open_log(url, partitions=PARTITIONS, now=now)) as log:
        log.put_document(processor.digest, processor.ruleset.document)
        active = control(ACTIVATED, {"digest": processor.digest}, time=0)
        log.append([Append(partition, [active]) for partition in range(PARTITIONS)])
        agent = Agent(log, "undisturbed", lambda digest: processor, monotonic=time.monotonic)
        for start in range(0, count, BLOCK):
            log.append(appends(start, min(start + BLOCK, count)))
            while agent.round():
                pass
        quiet = time.monotonic()
        while time.monotonic() - quiet < 3.0:  # longer than ticks stay behind the clock
            if agent.round():
                quiet = time.monotonic()
            time.sleep(0.01)
        assert behind(log) == 0
        agent.leave()
        return outcome(log)


def processor_of(document: bytes) -> RulesProcessor:
    """For `verify`."""
    return compile_rules(from_document(document))
