"""Reading what one wrote: waits until query tables show a position, and what the event there forwarded.

Polls positions, a few milliseconds apart at first, for a bounded time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.outputs_at import outputs_at
from projections.query import Queries
from projections.table import RULES
from streams.log import Log
from streams.outputs import Copy, Forward
from streams.routes import producer, receivers

PATIENCE: Final = 10.0
LONGEST: Final = 30.0
"""Seconds."""
FIRST_PAUSE: Final = 0.005
LAST_PAUSE: Final = 0.1


class NotCaughtUp(Exception):
    """Time is over. `shown`: partition → the offset that is shown."""

    def __init__(self, goals: Mapping[int, int], shown: Mapping[int, int]) -> None:
        behind = [
            f"partition {partition} is at {shown[partition]} of {goal}"
            for partition, goal in sorted(goals.items())
            if shown[partition] < goal
        ]
        super().__init__(f"not yet: {', '.join(behind) or 'what was forwarded is on its way'}; ask again")
        self.shown = shown


async def wait(log: Log, queries: Queries, goals: Mapping[int, int], patience: float = PATIENCE) -> None:
    """Until these offsets are shown in their partitions, and in others what the events there forwarded. Raises
    NotCaughtUp, LogError and QueryStoreError."""
    until = asyncio.get_running_loop().time() + patience
    await _until(until, goals, queries, lambda: True)
    sent = await asyncio.to_thread(_sent, log, goals)
    if sent:
        await _until(until, goals, queries, lambda: _arrived(log, sent))
        await _until(until, await asyncio.to_thread(_tails, log, sent), queries, lambda: True)


async def _until(until: float, goals: Mapping[int, int], queries: Queries, also: Callable[[], bool]) -> None:
    def there() -> tuple[bool, dict[int, int]]:
        shown = {partition: queries.position(partition, RULES) for partition in goals}
        return all(shown[partition] >= goal for partition, goal in goals.items()) and also(), shown

    pause = FIRST_PAUSE
    while True:
        done, shown = await asyncio.to_thread(there)
        if done:
            return
        if asyncio.get_running_loop().time() + pause > until:
            raise NotCaughtUp(goals, shown)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LAST_PAUSE)


def _sent(log: Log, goals: Mapping[int, int]) -> dict[tuple[int, int], int]:
    """(from, to) → the number of the last output that the event at a goal sent there, perhaps to its own partition."""
    found: dict[tuple[int, int], int] = {}
    for partition, offset in goals.items():
        for number, output in outputs_at(log, partition, offset):
            if isinstance(output, (Forward, Copy)):
                for to in receivers(output, partition, log.info.partitions):
                    found[partition, to] = number
    return found


def _arrived(log: Log, sent: Mapping[tuple[int, int], int]) -> bool:
    return all(log.sequence(to, producer(log, partition, to)) >= number for (partition, to), number in sent.items())


def _tails(log: Log, sent: Mapping[tuple[int, int], int]) -> dict[int, int]:
    return {to: log.tail(to) for _, to in sent}
