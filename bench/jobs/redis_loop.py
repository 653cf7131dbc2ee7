"""The loop on Redis (read, decode, two rules, a fold of four fields, ids, commit) against the same loop by hand, and
against the same work with FastStream.

One partition on one server with its append-only file synced every second; events are in the log in entries of 100.
Redis has the first core and whoever's turn it is the last.
"""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.engine import Engine
from bench.jobs.embedded import HOT
from bench.redis_floor import ENTRY, RedisFloor
from bench.redis_peer import RedisPeer
from bench.redis_server import started
from bench.result import Result, of_rates
from bench.size import Size

GOAL = 0.5
PEER_GOAL = 4.0
SHARE = 10
"""The peer does a part of the events of a round: its rate does not depend on it, and its time does."""


def run(size: Size, folder: Path) -> list[Result]:
    keys = min(HOT, size.keys)
    with started(folder) as server:
        engine = {"url": server.url("loop"), "cached": 2 * keys, "warm": True, "entry": ENTRY, "pinned": True}
        both = {"keys": keys, "events": size.events}
        by_hand = {"port": server.port, "keys": keys}
        ours, floor, peer = compare(
            [
                (Engine, {**engine, **both}),
                (RedisFloor, {"port": server.port, **both}),
                (RedisPeer, {**by_hand, "events": size.events // SHARE}),
            ],
            size.rounds,
        )
    title = f"loop on Redis, {keys:,} hot keys"
    return [
        of_rates(title, ours, floor, GOAL),
        of_rates(f"{title}, against FastStream", ours, peer, PEER_GOAL, "the peer looks for no duplicates"),
    ]
