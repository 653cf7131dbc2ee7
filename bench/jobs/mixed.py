"""The embedded loop with rules of all kinds, against itself with two plain ones."""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.engine import Engine
from bench.jobs.embedded import HOT
from bench.result import Result, of_rates
from bench.server import log_url
from bench.size import Size

GOAL = 0.5


def run(size: Size, folder: Path) -> list[Result]:
    keys = min(HOT, size.keys)
    sides = []
    for mixed in (True, False):
        place = folder / ("mixed" if mixed else "plain")
        place.mkdir()
        options = {"keys": keys, "cached": 4 * keys, "events": size.events, "warm": True, "mixed": mixed}
        sides.append((Engine, {"url": log_url(place), **options}))
    ours, plain = compare(sides, size.rounds)
    title = f"embedded loop, {keys:,} hot keys, rules of all kinds, against two plain ones"
    return [of_rates(title, ours, plain, GOAL)]
