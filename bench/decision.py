"""Two decision tables of a thousand rows, for us and for zen-engine, and payments to decide.

`merchants` looks up a category of merchants and a band of amounts, which zen-engine indexes by the category; `bands`
has nothing but ranges. Each answers with a level; about one payment in a hundred is blocked, and both sides look
whether this one is. Both begin with the JSON of the payment's data.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any, Final, Literal

import msgspec
import zen

from bench.contestants import Round
from rules.compile import compile_rules
from rules.load import load_sources
from streams.event import Event, fingerprint
from streams.log import Batch
from streams.processor import Partition, Step
from streams.state import Cell

Kind = Literal["merchants", "bands"]
BATCH: Final = 1_000
KEYS: Final = 100
MOST: Final = 9_000
TYPE: Final = "payment.authorized"
CATEGORIES: Final = 111
BANDS: Final = 9
LEVELS: Final = ("low", "medium", "high")


class Rows:
    """999 rows and a last one for everything else: (cell, cell, level), cells as our tables and theirs both have it."""

    def __init__(self, kind: Kind) -> None:
        chance = random.Random(7)
        self.inputs = ("category", "amount") if kind == "merchants" else ("score", "amount")
        self.rows: list[tuple[str | None, str | None, str]] = []
        for first in range(CATEGORIES if kind == "merchants" else 37):
            cell = f"c{first}" if kind == "merchants" else f"[{first * 10}..{first * 10 + 10})"
            count = BANDS if kind == "merchants" else 27
            for band in range(count):
                step = MOST // count
                level = "block" if chance.random() < 0.01 else chance.choice(LEVELS)
                self.rows.append((cell, f"[{band * step}..{band * step + step})", level))
        self.rows.append((None, None, "unknown"))


def payments(count: int) -> list[bytes]:
    chance = random.Random(11)
    return [
        json.dumps(
            {
                "category": f"c{chance.randrange(CATEGORIES + 1)}",
                "score": chance.randrange(370),
                "amount": round(chance.uniform(0, MOST), 2),
                "currency": "EUR",
            }
        ).encode()
        for _ in range(count)
    ]


class Ours:
    """The step of a rule that reads the table, over events in memory."""

    def __init__(self, kind: Kind, count: int) -> None:
        self._processor = compile_rules(load_sources({"bench.json": json.dumps(_rules(Rows(kind)))}))
        made = [_event(place, data) for place, data in enumerate(payments(count))]
        self._batches = [made[start : start + BATCH] for start in range(0, count, BATCH)]
        self._count = count
        self.blocked = 0

    def round(self) -> Round:
        step, blocked = self._processor.step, 0
        partition, cells = Partition(), {str(key): Cell() for key in range(KEYS)}
        began = time.perf_counter()
        for events in self._batches:
            work = Step(partition, cells)
            step(Batch(range(1, len(events) + 1), events), work)
            blocked += work.counts.get("fired|blocked", 0)
        seconds = time.perf_counter() - began
        self.blocked = blocked
        return Round(self._count, seconds)


class Zen:
    """`ZenEngine.evaluate` with the JSON as it is, its fastest way of those that were tried."""

    AS_IT_COMES = True

    def __init__(self, kind: Kind, count: int) -> None:
        content = _jdm(Rows(kind))
        self._engine = zen.ZenEngine({"loader": {"type": "static", "content": {"risk": content}}})
        self._payments = payments(count)
        self.blocked = 0

    def round(self) -> Round:
        evaluate, blocked = self._engine.evaluate, 0
        began = time.perf_counter()
        for data in self._payments:
            if evaluate("risk", data)["result"]["level"] == "block":
                blocked += 1
        seconds = time.perf_counter() - began
        self.blocked = blocked
        return Round(len(self._payments), seconds)


def _event(place: int, data: bytes) -> Event:
    key, id = str(place % KEYS), str(place)
    time = 1_700_000_000_000_000 + place * 1_000
    return Event(TYPE, time, key, key, "bench", id, fingerprint("bench", id), msgspec.Raw(data))


def _rules(rows: Rows) -> dict[str, Any]:
    said = [[_cell(first), _cell(second), {"level": level}] for first, second, level in rows.rows]
    inputs = [f"event.data.{name}" for name in rows.inputs]
    return {
        "ruleset": "bench",
        "events": {TYPE: {"category": "string", "score": "number", "amount": "number"}},
        "tables": {"risk": {"inputs": inputs, "outputs": ["level"], "rows": said}},
        "rules": {
            "blocked": {
                "on": TYPE,
                "let": {"risk": "tables.risk"},
                "when": "risk.level == 'block'",
                "then": [{"command": "block", "to": "bank", "args": {"amount": "${event.data.amount}"}}],
            }
        },
    }


def _cell(cell: str | None) -> str:
    return "-" if cell is None else cell if cell[0] == "[" else f"'{cell}'"


def _jdm(rows: Rows) -> dict[str, Any]:
    """A JSON decision model of one table."""
    inputs = [{"id": f"i{place}", "name": name, "field": name} for place, name in enumerate(rows.inputs)]
    said = [
        {"_id": str(place), "i0": _theirs(first), "i1": _theirs(second), "o": f'"{level}"'}
        for place, (first, second, level) in enumerate(rows.rows)
    ]
    outputs = [{"id": "o", "name": "level", "field": "level"}]
    content = {"hitPolicy": "first", "inputs": inputs, "outputs": outputs, "rules": said}
    return {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in"},
            {"id": "risk", "type": "decisionTableNode", "name": "risk", "content": content},
            {"id": "out", "type": "outputNode", "name": "out"},
        ],
        "edges": [
            {"id": "a", "type": "edge", "sourceId": "in", "targetId": "risk"},
            {"id": "b", "type": "edge", "sourceId": "risk", "targetId": "out"},
        ],
    }


def _theirs(cell: str | None) -> str:
    return "" if cell is None else cell if cell[0] == "[" else f'"{cell}"'
