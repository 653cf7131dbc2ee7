"""The embedded loop (read, decode, two rules, a fold of four fields, ids, commit) against the same loop by hand."""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.engine import Engine
from bench.floor import Floor
from bench.result import Result, of_rates
from bench.server import log_url
from bench.size import Size

HOT = 5_000


def run(size: Size, folder: Path) -> list[Result]:
    keys = size.keys
    cases = (
        ("hot", f"embedded loop, {min(HOT, keys):,} hot keys", min(HOT, keys), 2 * min(HOT, keys), 0.6),
        ("uniform", f"embedded loop, {keys:,} keys, all cached", keys, 2 * keys, 0.5),
        ("tenth", f"embedded loop, {keys:,} keys, a tenth cached", keys, keys // 10, 0.3),
    )
    results = []
    for name, title, drawn, cached, goal in cases:
        place = folder / name
        place.mkdir()
        options = {"keys": drawn, "cached": cached, "events": size.events, "warm": True}
        sides = [(Engine, {"url": log_url(place), **options}), (Floor, {"folder": str(place), **options})]
        ours, floor = compare(sides, size.rounds)
        results.append(of_rates(title, ours, floor, goal))
    return results
