"""Delivery to a target that answers, beside one that is down and has a backlog, or alone.

The receiver is `bench/bare.py` on the first core, delivery has the last. Commands are decided at fixed times; the time
of each ends when its attempt has been answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from statistics import quantiles

from adapters.adapter import Adapter
from adapters.engine import Engine
from adapters.kind import Surroundings
from adapters.registry import load_targets
from adapters.target import Target
from adapters.work import Outcome, Work
from bench.contestants import Round
from bench.deliveries import ARGS, PARTITIONS, acquire, delivering
from bench.engine import now
from bench.server import pin
from streams.backends.open import open_log
from streams.digest import content_digest
from streams.log import Code, Commit
from streams.outputs import Command

STEP = 0.05
"""Seconds between two decisions…"""
EACH = 10
"""…of so many commands."""
CHUNK = 1_000
WARM = 2.0
"""Seconds in which the target that is down is found to be."""
LONGEST = 120.0


class _Timed:
    """Notes when each command was answered."""

    def __init__(self, adapter: Adapter, answered: dict[str, float]) -> None:
        self._adapter = adapter
        self._answered = answered

    async def deliver(self, work: Work) -> Outcome:
        outcome = await self._adapter.deliver(work)
        self._answered[work.id] = time.perf_counter()
        return outcome

    async def close(self) -> None:
        await self._adapter.close()


class Beside:
    """`pending`: commands for the target that is down. A round's `more` has `p99`, seconds; `idle`, the share of a core
    that is used while nothing is decided; and `memory`, bytes."""

    def __init__(self, url: str, receiver: str, seconds: float, pending: int) -> None:
        pin(-1)
        self._seconds = seconds
        self._log = open_log(url, partitions=PARTITIONS, now=now)
        self._numbers = count(1)
        self._digest = content_digest(ARGS)
        self._answered: dict[str, float] = {}
        self._deciders = [acquire(self._log, partition, "agent") for partition in range(PARTITIONS)]
        self._positions = [self._log.position(partition, "rules") for partition in range(PARTITIONS)]
        self._loop = asyncio.new_event_loop()
        for begin in range(0, pending, CHUNK):
            self._decide(begin // CHUNK % PARTITIONS, "down", CHUNK)
        self._engine = self._loop.run_until_complete(self._open(receiver))

    def _decide(self, partition: int, to: str, many: int) -> list[str]:
        ids = [f"{next(self._numbers):032x}" for _ in range(many)]
        commands = [Command(id, "fine", to, "speeding", f"GX-{id[-3:]}", now(), "e1", ARGS, self._digest) for id in ids]
        start = self._positions[partition]
        done = self._log.commit(Commit(self._deciders[partition], "rules", start, start + 1, outputs=commands))
        assert done is Code.COMMITTED
        self._positions[partition] += 1
        return ids

    async def _open(self, receiver: str) -> Engine:
        text = f"""
targets:
  up: {{kind: webhook, url: "{receiver}/commands", allow: [127.0.0.1/32]}}
  down:
    kind: webhook
    url: http://127.0.0.1:9/
    allow: [127.0.0.1/32]
    retry: {{initial: 1s, max: 10s, attempts: 10000}}
"""
        targets = load_targets(text, "targets.yaml", Surroundings(now, lambda reference: None))
        targets["up"] = self._timed(targets["up"])
        engine = await delivering(self._log, targets)
        await asyncio.sleep(WARM)
        return engine

    def _timed(self, target: Target) -> Target:
        open = target.open
        assert open is not None
        return replace(target, open=lambda: _Timed(open(), self._answered))

    def round(self) -> Round:
        return self._loop.run_until_complete(self._round())

    async def _round(self) -> Round:
        decided: dict[str, float] = {}
        began = time.perf_counter()
        for step in range(max(1, int(self._seconds / STEP))):
            await asyncio.sleep(max(0.0, began + step * STEP - time.perf_counter()))
            partition = step % PARTITIONS
            at = time.perf_counter()
            ids = await asyncio.to_thread(self._decide, partition, "up", EACH)
            decided |= dict.fromkeys(ids, at)
            self._engine.notify(partition)
        async with asyncio.timeout(LONGEST):
            while not decided.keys() <= self._answered.keys():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.005)
        times = [self._answered[id] - at for id, at in decided.items()]
        seconds = time.perf_counter() - began
        cpu = time.process_time()
        await asyncio.sleep(self._seconds)
        idle = (time.process_time() - cpu) / self._seconds
        return Round(len(times), seconds, {"p99": _p99(times), "idle": idle, "memory": float(_memory())})

    def close(self) -> None:
        self._loop.run_until_complete(self._engine.close())
        self._loop.close()
        self._log.close()


def _p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100, method="inclusive")[98] if len(times) > 1 else times[0]


def _memory() -> int:
    """Resident, bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4_096
