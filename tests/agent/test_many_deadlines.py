"""Very many deadlines that are due at once, at the bounds that servers have: no giant commit, and nobody waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.agent import AgentOptions
from streams.backends.one_by_one import OneByOne
from streams.backends.open import open_log
from streams.keys import partition_of
from streams.log import Append, Code, Commit, Log
from tests.agent.running import HOUR, Running, event
from tests.conformance.backends import Clock
from tests.rules.compile import building as build

DEADLINES = 200_000
PARTITIONS = 4
BUSY = 0
"""The partition that has all the deadlines."""


class Noting(OneByOne):
    """A log that notes what is committed by the rules: (partition, outputs, rows)."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.commits: list[tuple[int, int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def commit(self, commit: Commit) -> Code:
        if commit.processor == "rules":
            self.commits.append((commit.lease.partition, len(commit.outputs), len(commit.changes)))
        return self._log.commit(commit)


@pytest.mark.slow
def test_deadlines_of_one_partition_that_are_due_at_once_leave_room_for_events_of_the_others(tmp_path: Path) -> None:
    clock = Clock()
    log: Any = Noting(open_log(f"sqlite:///{tmp_path}/log.db", partitions=PARTITIONS, now=clock))
    rules = build.compiled(
        build.rule("late", "open", build.command("remind"), after=HOUR),
        build.rule("now", "hello", build.command("greet")),
    )
    running = Running(log, rules, clock).activate()
    numbers = iter(range(10 * DEADLINES))
    keys = (key for key in map(str, numbers) if partition_of(key, PARTITIONS) == BUSY)
    for _ in range(DEADLINES // 10_000):
        log.append([Append(BUSY, [event("open", next(keys), clock.now) for _ in range(10_000)])])
    running.settle()
    others = [
        next(key for key in map(str, numbers) if partition_of(key, PARTITIONS) == p) for p in range(1, PARTITIONS)
    ]
    clock.advance(2 * 3600)

    log.commits.clear()
    agent = running.agent()
    rounds = 0
    while sum(outputs for partition, outputs, _ in log.commits if partition == BUSY) < DEADLINES:
        running.publish(event("hello", others[rounds % len(others)], clock.now))
        agent.round()
        rounds += 1
        greeted = sum(outputs for partition, outputs, _ in log.commits if partition != BUSY)
        assert greeted == rounds, "an event of another partition had to wait"
    agent.leave()
    log.close()

    limit = AgentOptions().tick_limit
    fired = [outputs for partition, outputs, _ in log.commits if partition == BUSY and outputs]
    assert max(fired) == limit
    assert len(fired) == DEADLINES // limit <= rounds
    assert max(rows for _, _, rows in log.commits) <= limit + 1  # the partition's own
