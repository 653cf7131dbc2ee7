"""Both sides of deliveries to a webhook: delivery with its ledger, and a loop around aiohttp's client.

The receiver is `bench/bare.py` on the first core; whoever's turn it is has the last. Commands are decided before a
round begins, and lie in the outputs of all partitions.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from itertools import count

import aiohttp
import msgspec

from adapters.engine import Engine
from adapters.kind import Surroundings
from adapters.registry import load_targets
from adapters.target import Target
from bench.contestants import Round
from bench.engine import now
from bench.server import pin
from streams.backends.open import open_log
from streams.digest import content_digest
from streams.log import DELIVERY, Code, Commit, Lease, Log, Role
from streams.outputs import Command

PARTITIONS = 8
AT_ONCE = 32
TARGET = "police"
LONGEST = 600.0
"""Seconds of a round, at most."""
ARGS = {"plate": "GX-700", "speed": 171, "place": "A4, km 217.3", "seen": "2025-05-01T12:00:00Z", "camera": "cam-4"}


def commands(numbers: Iterator[int], many: int) -> list[Command]:
    digest = content_digest(ARGS)
    return [
        Command(f"{number:032x}", "fine", TARGET, "speeding", f"GX-{number % 5_000}", now(), "e1", ARGS, digest)
        for number, _ in zip(numbers, range(many), strict=False)
    ]


def acquire(log: Log, partition: int, role: Role) -> Lease:
    lease = log.acquire(partition, "bench", 36_000.0, role)
    assert lease is not None
    return lease


async def delivering(log: Log, targets: Mapping[str, Target]) -> Engine:
    """Delivery of all partitions."""

    def failed(where: str, error: Exception) -> None:
        raise error

    engine = Engine(log, targets, now=now, chance=random.random, failed=failed)
    await engine.open()
    for partition in range(PARTITIONS):
        engine.start(acquire(log, partition, DELIVERY))
    return engine


class Delivering:
    """Ours: each command is leased, sent, acknowledged and told, all in the ledger of the log at `url`."""

    def __init__(self, url: str, receiver: str, each: int) -> None:
        pin(-1)
        self._each = each
        self._log = open_log(url, partitions=PARTITIONS, now=now)
        self._numbers = count(1)
        self._deciders = [acquire(self._log, partition, "agent") for partition in range(PARTITIONS)]
        self._positions = [self._log.position(partition, "rules") for partition in range(PARTITIONS)]
        self._file = f"""
targets:
  {TARGET}: {{kind: webhook, url: "{receiver}/commands", allow: [127.0.0.1/32], concurrency: {AT_ONCE}}}
"""
        self._loop = asyncio.new_event_loop()
        self._engine = self._loop.run_until_complete(self._open())

    async def _open(self) -> Engine:
        targets = load_targets(self._file, "targets.yaml", Surroundings(now, lambda reference: None))
        return await delivering(self._log, targets)

    def _decide(self) -> None:
        for partition, lease in enumerate(self._deciders):
            start = self._positions[partition]
            outputs = commands(self._numbers, self._each // PARTITIONS)
            assert self._log.commit(Commit(lease, "rules", start, start + 1, outputs=outputs)) is Code.COMMITTED
            self._positions[partition] += 1

    def round(self) -> Round:
        self._decide()
        return self._loop.run_until_complete(self._deliver())

    async def _deliver(self) -> Round:
        before, many = self._engine.counts[f"done|{TARGET}"], self._each // PARTITIONS * PARTITIONS
        began = time.perf_counter()
        for partition in range(PARTITIONS):
            self._engine.notify(partition)
        async with asyncio.timeout(LONGEST):
            while (done := self._engine.counts[f"done|{TARGET}"] - before) < many:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.002)
        assert done == many
        return Round(many, time.perf_counter() - began)

    def close(self) -> None:
        self._loop.run_until_complete(self._engine.close())
        self._loop.close()
        self._log.close()


class BareClient:
    """As many at once, and the same bodies; nothing is remembered."""

    def __init__(self, receiver: str, each: int) -> None:
        pin(-1)
        self._url = f"{receiver}/commands"
        self._bodies = [msgspec.json.encode(command.document()) for command in commands(count(1), each)]

    def round(self) -> Round:
        return asyncio.run(self._send())

    async def _send(self) -> Round:
        connector = aiohttp.TCPConnector(limit=AT_ONCE)
        headers = {"content-type": "application/json"}
        async with aiohttp.ClientSession(connector=connector) as session:
            left = iter(self._bodies)

            async def work() -> None:
                for body in left:
                    async with session.post(self._url, data=body, headers=headers) as response:
                        await response.read()
                        assert response.status == 204

            began = time.perf_counter()
            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            return Round(len(self._bodies), time.perf_counter() - began)
