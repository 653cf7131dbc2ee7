"""Pages of the ledger by state and age, in the query tables of both logs: no page may take long."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import msgspec

from bench.engine import now
from bench.redis_server import started
from bench.result import Result
from bench.size import FULL, Size
from projections.query import Queries
from projections.store import CommandFilter, QueryStore, Write
from projections.stores.redis import store as redis
from projections.stores.sqlite import store as sqlite
from projections.table import DELIVERY, CommandRow
from streams.backends.open import open_log
from streams.backends.redis.url import parse
from streams.log import LogInfo

PAGE = 100
LONGEST = 50.0
"""Milliseconds, of 99 pages in 100."""
CHUNK = 50_000
STATES = ("done",) * 90 + ("parked",) * 4 + ("retrying",) * 3 + ("cancelled", "expired", "pending")
ASKED = ("done", "parked", "retrying", "cancelled", "expired", "pending")


def commands(count: int) -> Iterator[CommandRow]:
    """A second apart."""
    chance = random.Random(1)
    for number in range(count):
        id, key, state = f"{number:032x}", f"key-{number % 10_000}", chance.choice(STATES)
        summary = {"id": id, "command": "fine", "to": "police", "rule": "speeding", "key": key, "state": state}
        text = msgspec.json.encode({**summary, "args": {"speed": number % 200}, "result": None}).decode()
        yield CommandRow(id, state, "police", "speeding", key, number * 1_000_000, number + 1, text)


def run(size: Size, folder: Path) -> list[Result]:
    store = sqlite.QueryStore(folder / "ledger.db", LogInfo("bench", 1, 1), [], notice=print)
    embedded = _measured("embedded", size, store)
    with started(folder) as server:
        url = server.url("ledger")
        log = open_log(url, partitions=1, now=now)
        try:
            return [embedded, _measured("Redis", size, redis.QueryStore(parse(url), log.info, []))]
        finally:
            log.close()


def _measured(where: str, size: Size, store: QueryStore) -> Result:
    count = 1_000_000 if size is FULL else 50_000
    try:
        rows = commands(count)
        for at, end in enumerate(range(0, count, CHUNK)):
            chunk = [next(rows) for _ in range(min(CHUNK, count - end))]
            assert all(store.apply([Write(0, DELIVERY, at, at + 1, commands=chunk)]))
        queries = Queries(store)
        found = [_times(queries, count, max(100, size.requests), seed) for seed in range(size.rounds)]
    finally:
        store.close()
    p99 = [quantiles(times, n=100, method="inclusive")[98] * 1_000 for times in found]
    title = f"ledger by state and age, page of {PAGE}, {count:,} commands, {where}, p99"
    shown = f"{min(p99):.2f} ms ({median(p99):.2f})"
    return Result(title, shown, "", min(p99), median(p99), LONGEST, "lower", "ms")


def _times(queries: Queries, count: int, requests: int, seed: int) -> list[float]:
    """Seconds of each page: of every state, every second one of what is older than some time."""
    chance = random.Random(seed)
    times = []
    for number in range(requests):
        until = chance.randrange(count // 2, count) * 1_000_000 if number % 2 else None
        filter = CommandFilter(state=ASKED[number % len(ASKED)], until=until)
        began = perf_counter()
        page = queries.commands(filter, PAGE)
        times.append(perf_counter() - began)
        assert len(page.commands) == PAGE
    return times
