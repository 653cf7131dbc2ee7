"""Deliveries to a webhook, acknowledged and recorded, on both logs, against a loop around aiohttp's client."""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.deliveries import BareClient, Delivering
from bench.redis_server import started
from bench.result import Result, of_rates
from bench.server import bare, log_url
from bench.size import Size

GOAL = 0.5


def run(size: Size, folder: Path) -> list[Result]:
    receiver = bare(folder)
    try:
        embedded = _compared("webhook deliveries, embedded", log_url(folder), receiver.address, size)
        with started(folder) as server:
            redis = _compared("webhook deliveries, Redis", server.url("deliveries"), receiver.address, size)
    finally:
        receiver.close()
    return [embedded, redis]


def _compared(title: str, url: str, receiver: str, size: Size) -> Result:
    both = {"receiver": receiver, "each": size.requests}
    ours, floor = compare([(Delivering, {"url": url, **both}), (BareClient, both)], size.rounds)
    return of_rates(title, ours, floor, GOAL)
