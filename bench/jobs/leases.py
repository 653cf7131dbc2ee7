"""Leases and outcomes over HTTP, in batches, against a bare aiohttp handler that parses and answers."""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.leases import BATCH, Bare, Leasing
from bench.result import Result, of_rates
from bench.size import Size

GOAL = 0.4


def run(size: Size, folder: Path) -> list[Result]:
    options = {"folder": str(folder), "each": size.requests}
    ours, floor = compare([(Leasing, options), (Bare, options)], size.rounds)
    busiest = max(each.more["busy"] for each in ours.rounds + floor.rounds)
    title = f"leased and done over HTTP, batches of {BATCH}"
    return [of_rates(title, ours, floor, GOAL, f"the workers were busy at most {busiest:.0%}")]
