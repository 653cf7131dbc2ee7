"""A page of a list, filtered by two fields and sorted by one, against the same SQL by hand (`bench/lists.py`)."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from bench.contestants import compare
from bench.lists import PAGE, ByHand, Ours
from bench.result import Result, of_rates
from bench.size import Size

GOAL = 0.3
LONGEST = 30.0
"""Milliseconds, of 99 pages in 100."""


def run(size: Size, folder: Path) -> list[Result]:
    options = {"folder": str(folder), "rows": max(size.keys, 40 * PAGE), "requests": max(20, size.requests // 10)}
    ours, floor, fitted = compare(
        [(Ours, options), (ByHand, options), (ByHand, {**options, "fitted": True})], size.rounds
    )
    title = f"list, filter + sort, page of {PAGE}, {options['rows']:,} rows"
    p99 = [each.more["p99"] * 1_000 for each in ours.rounds]
    return [
        of_rates(title, ours, floor, GOAL, f"with an index made for this question, by hand {fitted.best:,.0f}/s"),
        Result(
            f"{title}, p99", f"{min(p99):.2f} ms ({median(p99):.2f})", "", min(p99), median(p99), LONGEST, "lower", "ms"
        ),
    ]
