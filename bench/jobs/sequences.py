"""Sequences of two steps, over many keys, against lists in a dict by hand."""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.result import Result, of_rates
from bench.size import Size
from bench.waiting import Dict, Engine

KEYS = 100_000
GOAL = 0.3


def run(size: Size, _folder: Path) -> list[Result]:
    keys = min(KEYS, size.keys)
    options = {"job": "sequences", "keys": keys, "events": size.events}
    ours, floor = compare([(Engine, options), (Dict, options)], size.rounds)
    return [of_rates(f"sequence of two steps, {keys:,} keys", ours, floor, GOAL)]
