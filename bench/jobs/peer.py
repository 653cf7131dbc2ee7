"""The embedded loop against `eventsourcing` from PyPI, a peer that keeps aggregates in SQLite: hot keys, all cached."""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.engine import Engine
from bench.jobs.embedded import HOT
from bench.peer import Peer
from bench.result import Result, of_rates
from bench.server import log_url
from bench.size import Size

GOAL = 4.0
SHARE = 10
"""The peer does a part of the events of a round: its rate does not depend on it, and its time does."""


def run(size: Size, folder: Path) -> list[Result]:
    keys = min(HOT, size.keys)
    ours, peer = compare(
        [
            (
                Engine,
                {"url": log_url(folder), "keys": keys, "cached": 2 * keys, "events": size.events, "warm": True},
            ),
            (Peer, {"folder": str(folder), "keys": keys, "events": size.events // SHARE}),
        ],
        size.rounds,
    )
    title = f"embedded loop, {keys:,} hot keys, against eventsourcing"
    return [of_rates(title, ours, peer, GOAL, "the peer's input is in memory, and it looks for no duplicates")]
