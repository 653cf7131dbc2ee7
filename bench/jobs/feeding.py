"""The agent at full speed with the feeder of query tables behind it, against the agent alone (`bench/feeding.py`).

Both share a process, as in a server. Events of hot keys change the same rows again and again, of which the feeder
writes the last; those of many keys change a row each.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from bench.contestants import compare
from bench.engine import Engine
from bench.feeding import Fed
from bench.jobs.embedded import HOT
from bench.result import Result, of_rates
from bench.server import log_url
from bench.size import Size

GOAL = 0.8
LONGEST = 2.0
"""Seconds until what was committed is shown."""


def run(size: Size, folder: Path) -> list[Result]:
    cases = (
        ("hot", f"agent before a feeder, {min(HOT, size.keys):,} hot keys", min(HOT, size.keys), ()),
        ("many", f"agent before a feeder, {size.keys:,} keys", size.keys, ()),
        (
            "indexed",
            f"agent before a feeder, {size.keys:,} keys, two fields indexed",
            size.keys,
            ("country", "largest"),
        ),
    )
    results = []
    for name, title, keys, index in cases:
        alone, fed = folder / name / "alone", folder / name / "fed"
        for place in (alone, fed):
            place.mkdir(parents=True)
        ours, floor = compare(
            [
                (Fed, {"folder": str(fed), "keys": keys, "events": size.events, "index": index}),
                (
                    Engine,
                    {"url": log_url(alone), "keys": keys, "cached": 2 * keys, "events": size.events, "warm": True},
                ),
            ],
            size.rounds,
        )
        behind = [each.more["behind"] for each in ours.rounds]
        results.append(of_rates(title, ours, floor, GOAL))
        seconds = f"{min(behind):.2f} s ({median(behind):.2f})"
        results.append(Result(f"{title}: all shown", seconds, "", min(behind), median(behind), LONGEST, "lower", "s"))
    return results
