"""Deadlines that are opened and cancelled, with many pending, against a heap by hand."""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.result import Result, of_rates
from bench.size import Size
from bench.waiting import Engine, Heap

PENDING = 100_000
GOAL = 0.3


def run(size: Size, _folder: Path) -> list[Result]:
    pending = min(PENDING, size.keys)
    options = {"job": "deadlines", "keys": pending, "events": size.events}
    ours, floor = compare([(Engine, options), (Heap, options)], size.rounds)
    return [of_rates(f"deadlines opened and cancelled, {pending:,} pending", ours, floor, GOAL)]
