"""Windows that count, one a key, against a loop over a deque a key that was written by hand for this one rule.

Both get the same decoded events, in batches, and make the same commands. The loop never forgets a key, looks at no
clock and takes no event out of order.
"""

from __future__ import annotations

import random
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.by_hand import command
from bench.contestants import Round, compare
from bench.result import Result, of_rates
from bench.size import Size
from bench.workload import BATCH, START
from rules.compile import compile_rules
from rules.load import load_sources
from streams.event import OUTSIDE, Event, fingerprint
from streams.log import Batch
from streams.processor import Partition, Step
from streams.state import Cell

GOAL: Final = 0.4
KEYS: Final = 100_000
SPAN: Final = 600_000_000
RULES: Final = """
ruleset: bench
rules:
  burst:
    on: payment.failed
    over: 10m
    having: count() >= 3
    then: [{command: block, to: log, args: {card: "${key}"}}]
"""


class Failures:
    """Failed payments of cards chosen at random, so many that on average half a failure lies in the window of a card:
    one of eleven events makes a burst, and windows are empty, begun and full."""

    def __init__(self, keys: int) -> None:
        self._keys = keys
        self._random = random.Random(1)
        self._number = 0

    def some(self, count: int) -> list[Event]:
        return [self._failure() for _ in range(count)]

    def _failure(self) -> Event:
        self._number += 1
        card = self._random.randrange(self._keys)
        key, id = f"card-{card:07d}", f"payment-{self._number:09d}"
        data = msgspec.Raw(b'{"amount":%d,"currency":"EUR"}' % self._random.randrange(10_000))
        at = START + self._number * (2 * SPAN // self._keys)
        return Event("payment.failed", at, key, key, "/bank", id, fingerprint("/bank", id), data, OUTSIDE)


class _Cells(dict[str, Cell]):
    def __missing__(self, key: str) -> Cell:
        cell = self[key] = Cell()
        return cell


class Engine:
    def __init__(self, keys: int, events: int) -> None:
        self._failures = Failures(keys)
        self._events = events
        self._processor = compile_rules(load_sources({"bench.yaml": RULES}))
        self._partition, self._cells = Partition(), _Cells()

    def round(self) -> Round:
        events = self._failures.some(self._events)
        began = time.perf_counter()
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            step = Step(self._partition, self._cells)
            self._processor.step(Batch(range(start, start + len(batch)), batch), step)
        return Round(self._events, time.perf_counter() - began)


class Loop:
    def __init__(self, keys: int, events: int) -> None:
        self._failures = Failures(keys)
        self._events = events
        self._windows: dict[str, deque[int]] = {}

    def round(self) -> Round:
        events = self._failures.some(self._events)
        windows = self._windows
        began = time.perf_counter()
        for start in range(0, len(events), BATCH):
            commands: list[dict[str, Any]] = []
            dirty: set[str] = set()
            for event in events[start : start + BATCH]:
                if event.type != "payment.failed":
                    continue
                key, at = event.key, event.time
                window = windows.get(key)
                if window is None:
                    window = windows[key] = deque()
                begin = at - SPAN
                while window and window[0] <= begin:
                    window.popleft()
                window.append(at)
                dirty.add(key)
                if len(window) >= 3:
                    commands.append(command("burst", "block", event, {"card": key}))
        return Round(self._events, time.perf_counter() - began)


def run(size: Size, folder: Path) -> list[Result]:
    options = {"keys": min(KEYS, size.keys), "events": size.events}
    ours, floor = compare([(Engine, options), (Loop, options)], size.rounds)
    return [of_rates("a window that counts, a key", ours, floor, GOAL)]
