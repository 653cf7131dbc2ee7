"""A decision table of 1,000 rows, from the JSON of an event to the decision, against zen-engine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.contestants import compare
from bench.decision import Kind, Ours, Zen
from bench.result import Result, of_rates
from bench.size import Size

GOAL = 5.0
TITLES: Final[dict[Kind, str]] = {
    "merchants": "decision table, 1,000 rows, a text and a range",
    "bands": "decision table, 1,000 rows, two ranges",
}
SHARES: Final[dict[Kind, int]] = {"merchants": 4, "bands": 40}
"""Of a round's events: theirs takes a hundred times as long where it has no index."""


def run(size: Size, folder: Path) -> list[Result]:
    results: list[Result] = []
    for kind, title in TITLES.items():
        options = {"kind": kind, "count": max(size.events // SHARES[kind], 10)}
        ours, theirs = compare([(Ours, options), (Zen, options)], size.rounds)
        note = "ours is the whole step of a rule that reads the table; zen-engine indexes texts, not ranges"
        results.append(of_rates(f"{title}, against zen-engine", ours, theirs, GOAL, note if kind == "bands" else ""))
    return results
