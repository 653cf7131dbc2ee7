"""The embedded loop's work: orders of customers, two rules and a fold of four fields.

Events are about 300 bytes as the log stores them. About one in twenty fires a rule. The same seed gives the same
events, so that contestants in different processes do the same work.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import msgspec

from rules.compile import compile_rules
from rules.load import load_sources
from rules.processor import RulesProcessor
from streams.event import OUTSIDE, Event, fingerprint
from streams.rfc3339 import format

BATCH: Final = 5_000
"""Events of one commit."""
START: Final = 1_700_000_000_000_000
LARGE: Final = 9_900
BULKY: Final = 20
RICH: Final = 5_000

RULES: Final = f"""
ruleset: bench
events:
  order.placed: {{amount: number, country: string, items: integer, sku: string}}
projections:
  customers:
    initial: {{orders: 0, spent: 0, largest: 0}}
    fold:
      order.placed:
        orders: row.orders + 1
        spent: row.spent + event.data.amount
        largest: "event.data.amount > row.largest ? event.data.amount : row.largest"
        country: event.data.country
rules:
  large-order:
    on: order.placed
    when: event.data.amount >= {LARGE}
    then: [{{command: review, to: log, args: {{customer: "${{key}}", amount: "${{event.data.amount}}"}}}}]
  bulky-order:
    on: order.placed
    when: event.data.items >= {BULKY} && customers.largest >= {RICH}
    then: [{{command: pack, to: log, args: {{customer: "${{key}}", spent: "${{customers.spent}}"}}}}]
"""


MIXED: Final = f"""{RULES}
  often:
    on: order.placed
    over: 1m
    having: count() >= 25 && sum(event.data.amount) > 100000
    once_within: 1h
    then: [{{command: watch, to: log, args: {{orders: "${{count()}}"}}}}]
  small-then-large:
    sequence:
      - small: {{on: order.placed, when: small.data.amount < 100}}
      - large: {{on: order.placed, when: large.data.amount > {LARGE}}}
    within: 10s
    then: [{{command: ask, to: log}}]
  not-again:
    on: order.placed
    when: event.data.items == {BULKY}
    after: 30s
    unless: order.placed
    pending: latest
    then: [{{command: invite, to: log}}]
  risk:
    on: order.placed
    let: {{risk: tables.risk}}
    when: risk.level == 'high'
    then: [{{command: check, to: log, args: {{level: "${{risk.level}}"}}}}]
tables:
  risk:
    inputs: [event.data.amount, event.data.country]
    outputs: [level]
    rows:
      - [">= {LARGE}", "in ['IT', 'ES']", {{level: high}}]
      - ["[1000..{LARGE})", "-", {{level: medium}}]
      - ["-", "-", {{level: low}}]
"""
"""The same, with a window, a sequence, a deadline that the next order cancels, and a decision table."""


def processor(rules: str = RULES) -> RulesProcessor:
    return compile_rules(load_sources({"bench.yaml": rules}))


class Orders:
    """Orders of `keys` customers, uniformly at random."""

    def __init__(self, keys: int, seed: int = 1, start: int = START) -> None:
        """`start`, in microseconds, is a millisecond before the first."""
        self._keys = keys
        self._start = start
        self._random = random.Random(seed)
        self._number = 0

    def some(self, count: int) -> list[Event]:
        choose = self._random.randrange
        return [self._order(choose(self._keys)) for _ in range(count)]

    def one_each(self, chunk: int) -> Iterator[list[Event]]:
        """One order of every customer."""
        for start in range(0, self._keys, chunk):
            yield [self._order(key) for key in range(start, min(start + chunk, self._keys))]

    def _order(self, customer: int) -> Event:
        self._number += 1
        choose = self._random.randrange
        data = {
            "amount": choose(1_000_000) / 100,
            "country": ("IT", "DE", "FR", "ES", "PL")[choose(5)],
            "items": choose(1, 21),
            "sku": f"sku-{choose(10_000):05d}",
            "channel": "web",
            "campaign": "autumn-newsletter",
            "comment": "please leave the parcel with the neighbours",
        }
        key, id = f"customer-{customer:07d}", f"order-{self._number:09d}"
        source = "/shop/checkout"
        raw = msgspec.Raw(msgspec.json.encode(data))
        time = self._start + self._number * 1_000
        return Event("order.placed", time, key, key, source, id, fingerprint(source, id), raw, OUTSIDE)


def body(event: Event) -> bytes:
    """The event as a producer sends it."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "type": event.type,
            "source": event.source,
            "id": event.id,
            "subject": event.subject,
            "time": format(event.time),
            "data": event.data,
        }
    )
