"""A target that is down, with a backlog that is tried again and again, beside one that answers."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from bench.contestants import compare
from bench.isolation import Beside
from bench.jobs.deliveries import bare
from bench.result import Result
from bench.size import FULL, Size

MOST = 1.5
"""Times the p99 of the other target alone."""
IDLE = 10.0
"""Percent of a core, while nothing is decided."""


def run(size: Size, folder: Path) -> list[Result]:
    pending = 100_000 if size is FULL else 16_000
    receiver = bare(folder)
    both = {"receiver": receiver.address, "seconds": size.seconds}
    try:
        beside, alone = compare(
            [
                (Beside, {"url": f"sqlite:///{folder / 'beside.db'}", "pending": pending, **both}),
                (Beside, {"url": f"sqlite:///{folder / 'alone.db'}", "pending": 0, **both}),
            ],
            size.rounds,
        )
    finally:
        receiver.close()
    ours = [each.more["p99"] * 1_000 for each in beside.rounds]
    floor = [each.more["p99"] * 1_000 for each in alone.rounds]
    idle = [each.more["idle"] * 100 for each in beside.rounds]
    memory = (
        max(each.more["memory"] for each in beside.rounds) - max(each.more["memory"] for each in alone.rounds)
    ) / 1e6
    title = f"a target beside one that is down with {pending:,} commands pending"
    return [
        Result(
            f"{title}, p99",
            f"{min(ours):.1f} ms ({median(ours):.1f})",
            f"{min(floor):.1f} ms ({median(floor):.1f})",
            min(ours) / min(floor),
            median(ours) / median(floor),
            MOST,
            "lower",
            "×",
        ),
        Result(
            f"{title}, core used while nothing is decided",
            f"{min(idle):.1f} % ({median(idle):.1f}), {memory:.0f} MB more",
            "",
            min(idle),
            median(idle),
            IDLE,
            "lower",
            "%",
        ),
    ]
