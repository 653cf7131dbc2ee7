"""A log with an agent's worth of machinery, driven by hand: no threads, a clock of the test's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from rules.processor import RulesProcessor
from streams.agent import Agent, AgentOptions
from streams.event import ACTIVATED, MODE, OUTSIDE, TICK, Event, control, fingerprint
from streams.keys import partition_of
from streams.log import Append, Log
from streams.outputs import Command, Output
from streams.processor import Poisoned
from streams.state import decode_cell
from tests.rules.compile import building as build

SECOND = 1_000_000
HOUR = 3600 * SECOND
_ids = itertools.count(1)


def event(type: str, key: str, time: int = 0, id: str | None = None, **data: Any) -> Event:
    id = id or f"e{next(_ids)}"
    raw = msgspec.Raw(msgspec.json.encode(data))
    return Event(type, time, key, key, "test", id, fingerprint("test", id), raw, OUTSIDE)


class Running:
    """An agent over `log` whose rounds the test runs: `settle` until there is nothing to do."""

    def __init__(self, log: Log, processor: RulesProcessor, clock: Callable[[], int], **options: Any) -> None:
        self.log = log
        self.processor = processor
        self.clock = clock
        self.failures: list[BaseException] = []
        self.options = AgentOptions(**{"tick_delay": 0, "lease": 0.1, **options})

    def activate(self, importing: bool = False) -> Running:
        partitions = range(self.log.info.partitions)
        controls = [
            control(MODE, {"importing": importing}, time=0),
            control(ACTIVATED, {"digest": self.processor.digest}, time=0),
        ]
        self.log.append([Append(partition, controls) for partition in partitions])
        return self

    def publish(self, *events: Event) -> Running:
        for each in events:
            self.log.append([Append(partition_of(each.key, self.log.info.partitions), [each])])
        return self

    def tick(self, time: int, limit: int = 1000) -> Running:
        for partition in range(self.log.info.partitions):
            self.log.append([Append(partition, [control(TICK, {"limit": limit}, time=time)])])
        return self

    def agent(self, name: str = "test") -> Agent:
        """One more, that a test drives round by round; it has to `leave`."""
        return Agent(
            self.log,
            name,
            lambda digest: self.processor,
            monotonic=lambda: self.clock() / SECOND,
            options=self.options,
            failed=lambda partition, error: self.failures.append(error),
        )

    def settle(self) -> Running:
        """Lets an agent work until there is nothing to do."""
        agent = self.agent()
        while agent.round() and not self.failures:
            pass
        agent.leave()
        assert not self.failures, self.failures
        return self

    def outputs(self) -> Iterable[Output]:
        for partition in range(self.log.info.partitions):
            yield from self.log.outputs(partition, 0, 1_000_000)[1]

    def commands(self) -> list[Command]:
        return sorted((o for o in self.outputs() if isinstance(o, Command)), key=lambda c: (c.at, c.id))

    def row(self, projection: str, key: str) -> dict[str, Any] | None:
        partition = partition_of(key, self.log.info.partitions)
        value = self.log.rows(partition, "rules", ["k" + key]).get("k" + key)
        return None if value is None else decode_cell(value).rows.get(self.processor.projection_ids[projection])


def counting():
    return build.compiled(
        build.projection("totals", {"paid": {"count": "(has(row.count) ? row.count : 0) + 1"}}),
        build.rule("third", "paid", build.command(n="${totals.count}"), when="totals.count == 3"),
    )


class PoisonedBy:
    """Compiled rules in front of which one type of event cannot be evaluated, as a Python rule's bug would have it."""

    def __init__(self, inner) -> None:
        self.inner, self.cured = inner, False
        self.lateness, self.digest, self.projection_ids = inner.lateness, inner.digest, inner.projection_ids

    def keys(self, batch):
        return self.inner.keys(batch)

    def step(self, batch, step):
        self.inner.step(batch, step)
        for offset, each in zip(batch.offsets, batch.events, strict=True):
            if each.type == "bad" and not self.cured:
                raise Poisoned(offset, each, "a bug")
