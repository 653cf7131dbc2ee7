"""A thousand rules on payments: for us, by hand, for zen-engine and for durable_rules.

Each rule asks for one merchant, an amount and, every second one, a number of items: two or three comparisons. Every
payment names one of the merchants, and one in a hundred is large enough for the rule that asks for it. With several
types the rules are spread over them evenly. All begin with the JSON of the payment's data, and count hits.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import zen

from bench.contestants import Round
from rules.compile import compile_rules
from rules.load import load_sources
from streams.event import Event, fingerprint
from streams.log import Batch
from streams.processor import Partition, Step
from streams.state import Cell

BATCH: Final = 1_000
KEYS: Final = 100
LARGE: Final = 990
"""Amounts go up to 1,000: one in a hundred is above."""


class Asked(NamedTuple):
    """One rule."""

    type: str
    merchant: str
    amount: int
    items: int | None


class Payment(NamedTuple):
    type: str
    data: bytes


class Data(msgspec.Struct, gc=False):
    merchant: str
    amount: float
    items: int


def rules(count: int, types: int) -> list[Asked]:
    return [Asked(f"payment.t{place % types}", f"m{place}", LARGE, 1 if place % 2 else None) for place in range(count)]


def payments(count: int, asked: list[Asked]) -> list[Payment]:
    chance = random.Random(5)
    made: list[Payment] = []
    for _ in range(count):
        rule = chance.choice(asked)
        data = {"merchant": rule.merchant, "amount": round(chance.uniform(0, 1000), 2), "currency": "EUR"}
        made.append(Payment(rule.type, json.dumps(data | {"items": 1 + chance.randrange(9)}).encode()))
    return made


class Ours:
    """The whole step, without a log. `watched` merchants are those that payments name, so that the events of a small
    and of a large rule set are the same."""

    def __init__(self, count: int, types: int, events: int, watched: int | None = None) -> None:
        asked = rules(count, types)
        self._processor = compile_rules(load_sources({"bench.json": json.dumps(_rules(asked))}))
        made = [_event(place, each) for place, each in enumerate(payments(events, asked[:watched]))]
        self._batches = [made[start : start + BATCH] for start in range(0, events, BATCH)]
        self._events = events
        self.hits = 0

    def round(self) -> Round:
        step, hits = self._processor.step, 0
        partition, cells = Partition(), {str(key): Cell() for key in range(KEYS)}
        began = time.perf_counter()
        for events in self._batches:
            work = Step(partition, cells)
            step(Batch(range(1, len(events) + 1), events), work)
            hits += len(work.outputs)
        seconds = time.perf_counter() - began
        self.hits = hits
        return Round(self._events, seconds)


class ByHand:
    """One function a type, all its rules one after the other; typed decoding."""

    def __init__(self, count: int, types: int, events: int) -> None:
        asked = rules(count, types)
        self._of = {type: _function([each for each in asked if each.type == type]) for type in {a.type for a in asked}}
        self._payments = payments(events, asked)
        self.hits = 0

    def round(self) -> Round:
        decode, of, hits = msgspec.json.Decoder(Data).decode, self._of, 0
        began = time.perf_counter()
        for type, data in self._payments:
            hits += of[type](decode(data))
        seconds = time.perf_counter() - began
        self.hits = hits
        return Round(len(self._payments), seconds)


class Zen:
    """A decision table with a row a rule, which is the form that zen-engine indexes."""

    AS_IT_COMES = True

    def __init__(self, count: int, types: int, events: int) -> None:
        asked = rules(count, types)
        content = {type: _jdm([each for each in asked if each.type == type]) for type in {a.type for a in asked}}
        self._engine = zen.ZenEngine({"loader": {"type": "static", "content": content}})
        self._payments = payments(events, asked)
        self.hits = 0

    def round(self) -> Round:
        evaluate, hits = self._engine.evaluate, 0
        began = time.perf_counter()
        for type, data in self._payments:
            hits += len(evaluate(type, data)["result"])
        seconds = time.perf_counter() - began
        self.hits = hits
        return Round(len(self._payments), seconds)


def _event(place: int, payment: Payment) -> Event:
    key, id = str(place % KEYS), str(place)
    at = 1_700_000_000_000_000 + place * 1_000
    return Event(payment.type, at, key, key, "bench", id, fingerprint("bench", id), msgspec.Raw(payment.data))


def _rules(asked: list[Asked]) -> dict[str, Any]:
    made = {}
    for place, each in enumerate(asked):
        when = f"event.data.merchant == '{each.merchant}' && event.data.amount > {each.amount}"
        when += f" && event.data.items >= {each.items}" if each.items is not None else ""
        made[f"r{place}"] = {"on": each.type, "when": when, "then": [{"command": "review", "to": "log"}]}
    schema = {"merchant": "string", "amount": "number", "items": "integer"}
    return {"ruleset": "bench", "events": dict.fromkeys({each.type for each in asked}, schema), "rules": made}


def _function(asked: list[Asked]) -> Callable[[Data], int]:
    lines = ["def decide(data):", " merchant, amount, items, hits = data.merchant, data.amount, data.items, 0"]
    for each in asked:
        more = f" and items >= {each.items}" if each.items is not None else ""
        lines.append(f" if merchant == {each.merchant!r} and amount > {each.amount}{more}: hits += 1")
    space: dict[str, Any] = {}
    exec("\n".join([*lines, " return hits"]), space)
    decide: Callable[[Data], int] = space["decide"]
    return decide


def _jdm(asked: list[Asked]) -> dict[str, Any]:
    rows = [
        {"_id": str(place), "a": f'"{each.merchant}"', "b": f"> {each.amount}", "c": _least(each), "out": str(place)}
        for place, each in enumerate(asked)
    ]
    inputs = [
        {"id": id, "name": field, "field": field, "type": "expression"}
        for id, field in zip("abc", ("merchant", "amount", "items"), strict=True)
    ]
    outputs = [{"id": "out", "name": "rule", "field": "rule", "type": "expression"}]
    table = {"hitPolicy": "collect", "inputs": inputs, "outputs": outputs, "rules": rows}
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode", "content": {}},
        {"id": "table", "name": "table", "type": "decisionTableNode", "content": table},
        {"id": "end", "name": "end", "type": "outputNode", "content": {}},
    ]
    edges = [
        {"id": "1", "sourceId": "in", "targetId": "table", "type": "edge"},
        {"id": "2", "sourceId": "table", "targetId": "end", "type": "edge"},
    ]
    return {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges}


def _least(each: Asked) -> str:
    return "" if each.items is None else f">= {each.items}"
