"""What waits for a key, deadlines and sequences: the same events through the engine's step and through loops by hand.

Both sides begin with the lines of an entry as the log stores them, and end with commands in memory; nothing is
committed, so that the figures are about waiting. The same seed gives the same events.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, Final

import msgspec

from bench.by_hand import command
from bench.contestants import Round
from bench.workload import BATCH, START
from rules.compile import compile_rules
from rules.load import load_sources
from streams.event import Event, decode, encode, fingerprint
from streams.log import Batch
from streams.outputs import Command
from streams.processor import Partition, Step
from streams.state import Cell

DEADLINES: Final = """
ruleset: bench
rules:
  unpaid:
    on: order.placed
    after: AFTER
    unless: order.paid
    then: [{command: remind, to: log, args: {order: "${key}"}}]
"""
SEQUENCES: Final = """
ruleset: bench
events:
  login.failed: {ip: string, agent: string}
  login.granted: {ip: string, agent: string}
rules:
  guessed:
    sequence:
      - failed: {on: login.failed}
      - granted: {on: login.granted, when: granted.data.ip != failed.data.ip}
    within: 2m
    then: [{command: lock, to: log, args: {user: "${key}", ip: "${failed.data.ip}"}}]
"""
WITHIN: Final = 120_000_000
STEP: Final = 1_000
"""Microseconds between two events."""


def _event(number: int, type: str, key: str, data: dict[str, Any]) -> Event:
    id, source = f"e-{number:09d}", "/shop"
    raw = msgspec.Raw(msgspec.json.encode(data))
    return Event(type, START + number * STEP, key, key, source, id, fingerprint(source, id), raw)


def orders(pending: int) -> Iterator[Event]:
    """Each order is paid when `pending` others have been placed since."""
    number = 0
    while True:
        place, paid = divmod(number, 2)
        if paid:
            place -= pending
        if place >= 0:
            data = {"total": place % 1000, "note": "please leave the parcel with the neighbours"}
            yield _event(number, "order.paid" if paid else "order.placed", f"order-{place:09d}", data)
        number += 1


def logins(keys: int) -> Iterator[Event]:
    """Of users at random: as many failed as granted, one in twenty from another address."""
    choose = random.Random(1).randrange
    number = 0
    while True:
        ip = "10.0.0.2" if choose(20) == 0 else "10.0.0.1"
        data = {"ip": ip, "agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)", "session": "0123456789abcdef"}
        type = "login.granted" if choose(2) else "login.failed"
        yield _event(number, type, f"user-{choose(keys):07d}", data)
        number += 1


def after(pending: int) -> int:
    """Microseconds of a deadline that is cancelled when two thirds of its time are over."""
    return 3 * pending * STEP


class _Side:
    """Takes `events` a round, in bodies of a batch each."""

    def __init__(self, job: str, keys: int, events: int) -> None:
        self._source = orders(keys) if job == "deadlines" else logins(keys)
        self._events = events
        self.prepare(2 * keys)

    def prepare(self, events: int) -> None:
        """The state that a round finds."""
        while events > 0:
            events -= self.take(encode(next(self._source) for _ in range(BATCH)))

    def round(self) -> Round:
        sizes = [min(BATCH, self._events - start) for start in range(0, self._events, BATCH)]
        bodies = [encode(next(self._source) for _ in range(size)) for size in sizes]
        began = time.perf_counter()
        for body in bodies:
            self.take(body)
        return Round(self._events, time.perf_counter() - began)

    def take(self, body: bytes) -> int:
        raise NotImplementedError


class _Cells(dict[str, Cell]):
    def __missing__(self, key: str) -> Cell:
        cell = self[key] = Cell()
        return cell


class Engine(_Side):
    def __init__(self, job: str, keys: int, events: int) -> None:
        rules = SEQUENCES if job == "sequences" else DEADLINES.replace("AFTER", f"{after(keys) // 1000}ms")
        self._processor = compile_rules(load_sources({"bench.yaml": rules}))
        self._partition = Partition()
        self._cells = _Cells()
        self._next = 1
        self.commands = 0
        super().__init__(job, keys, events)

    def take(self, body: bytes) -> int:
        events = decode(body)
        step = Step(self._partition, self._cells)
        self._processor.step(Batch(range(self._next, self._next + len(events)), events), step)
        self._next += len(events)
        self.commands += sum(isinstance(output, Command) for output in step.outputs)
        return len(events)


class Plain(msgspec.Struct, array_like=True, gc=False):
    """An event of which nobody reads the data."""

    type: str
    time: int
    key: str
    subject: str
    source: str
    id: str


class Login(msgspec.Struct, gc=False):
    ip: str
    agent: str


class Attempt(msgspec.Struct, array_like=True, gc=False):
    type: str
    time: int
    key: str
    subject: str
    source: str
    id: str
    fingerprint: int
    data: Login


_decode_plain: Final = msgspec.json.Decoder(Plain).decode_lines
_decode_attempts: Final = msgspec.json.Decoder(Attempt).decode_lines


class Heap(_Side):
    """Deadlines by hand: a heap of due times, and what is pending of each key. Cancelled ones stay in the heap."""

    def __init__(self, job: str, keys: int, events: int) -> None:
        self._after = after(keys)
        self._heap: list[tuple[int, str]] = []
        self._pending: dict[str, tuple[int, Plain]] = {}
        self.commands = 0
        super().__init__(job, keys, events)

    def take(self, body: bytes) -> int:
        heap, pending, after = self._heap, self._pending, self._after
        made: list[dict[str, Any]] = []
        events = _decode_plain(body)
        for event in events:
            time = event.time
            while heap and heap[0][0] < time:
                due, key = heappop(heap)
                held = pending.get(key)
                if held is not None and held[0] == due:
                    del pending[key]
                    made.append(command("unpaid", "remind", held[1], {"order": key}))
            if event.type == "order.placed":
                due = time + after
                heappush(heap, (due, event.key))
                pending[event.key] = (due, event)
            elif event.type == "order.paid":
                held = pending.get(event.key)
                if held is not None and held[1].time <= time <= held[0]:
                    del pending[event.key]
        self.commands += len(made)
        return len(events)


class Dict(_Side):
    """Sequences by hand: the failed attempts of each key, forgotten when it is seen again after their time."""

    def __init__(self, job: str, keys: int, events: int) -> None:
        self._open: dict[str, list[Attempt]] = {}
        self.commands = 0
        super().__init__(job, keys, events)

    def take(self, body: bytes) -> int:
        open = self._open
        made: list[dict[str, Any]] = []
        events = _decode_attempts(body)
        for event in events:
            key, time = event.key, event.time
            held = open.get(key)
            if held is not None and held[0].time + WITHIN < time:
                held = [each for each in held if each.time + WITHIN >= time]
                if held:
                    open[key] = held
                else:
                    del open[key]
                    held = None
            if event.type == "login.failed":
                if held is None:
                    open[key] = [event]
                else:
                    held.append(event)
            elif event.type == "login.granted" and held is not None:
                ip = event.data.ip
                found = [each for each in held if each.data.ip != ip]
                if found:
                    made += [command("guessed", "lock", each, {"user": key, "ip": each.data.ip}) for each in found]
                    left = [each for each in held if each.data.ip == ip]
                    if left:
                        open[key] = left
                    else:
                        del open[key]
        self.commands += len(made)
        return len(events)
