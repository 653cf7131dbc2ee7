"""What Redis holds in memory for an event of the stream and for a row, on a server that holds nothing else.

An event's share is that of the streams after appending, as `MEMORY USAGE` counts it (with what the allocator rounds
up), over the length of its line. Then everything is evaluated, one row a customer and each of them once: a row's share
is what all hashes grew by, so the remembered fingerprints (8 bytes an event) are in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from bench.engine import Engine
from bench.redis_floor import ENTRY
from bench.redis_server import started
from bench.result import Result
from bench.size import Size
from bench.workload import Orders
from streams.event import encode

GOAL = 1.15


def run(size: Size, folder: Path) -> list[Result]:
    count = size.events
    with started(folder, pinned=False) as server, server.client() as client:
        engine = Engine(server.url("memory"), keys=count, cached=2 * count, events=count, warm=False)
        before = _held(client)
        orders = [order for chunk in Orders(count).one_each(count) for order in chunk]
        engine.append(orders, ENTRY)
        appended = _held(client)
        engine.work()
        evaluated = _held(client)
        engine.close()
    payload = sum(len(encode(orders[start : start + ENTRY])) for start in range(0, count, ENTRY)) / count
    event = (appended[b"stream"] - before[b"stream"]) / count
    row = (evaluated[b"hash"] - appended[b"hash"]) / count
    note = (
        f"{event:.0f} bytes for a line of {payload:.0f}, entries of {ENTRY}; {row:.0f} bytes for a row of four fields"
    )
    title = f"memory of an event in Redis, {count:,} events"
    return [Result(title, f"{event:.0f} B", f"{payload:.0f} B", event / payload, None, GOAL, "lower", "×", note)]


def _held(client: redis.Redis) -> dict[Any, int]:
    """Bytes of all keys by type."""
    held: dict[Any, int] = {b"stream": 0, b"hash": 0}
    for key in client.scan_iter(count=1_000):
        kind = client.type(key)
        held[kind] = held.get(kind, 0) + (client.memory_usage(key, samples=0) or 0)
    return held
