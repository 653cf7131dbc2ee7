"""An engine over a real log in a running event loop, with adapters that do what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from adapters.engine import Engine, EngineOptions
from adapters.ledger import CURSOR, DELIVERY, Entry, read
from adapters.partition_loop import Pace
from adapters.target import Target
from adapters.work import Outcome, Verdict, Work
from streams.event import RESULT
from streams.log import Code, Lease, Log
from streams.outputs import Command
from tests.conformance.backends import Clock, Writer, owned

FAST = EngineOptions(pace=Pace(least=0.001, first_retry=0.01, last_retry=0.05))
DONE = Outcome(Verdict.DONE)
Deliver = Callable[[Work], Awaitable[Any]]


@dataclass(eq=False)
class Adapter:
    """Remembers what it was given and whether it was closed. `act` may be changed at any time."""

    act: Deliver | None = None
    works: list[Work] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    closed: bool = False

    async def deliver(self, work: Work) -> Outcome:
        self.works.append(work)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.act(work) if self.act is not None else DONE  # type: ignore[no-any-return]
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        self.closed = True

    def target(self, name: str = "police", **options: Any) -> Target:
        return Target(name, "test", lambda: self, **options)

    @property
    def ids(self) -> list[str]:
        return [work.id for work in self.works]


def decide(log: Log, *names: str, partition: int = 0, to: str = "police") -> Lease:
    """The rules commit these commands; the answer is a new lease to deliver from the partition."""
    commit(Writer(log, partition), *names, to=to)
    return owned(log, partition, role=DELIVERY)


def commit(writer: Writer, *names: str, to: str = "police") -> None:
    partition = writer.partition
    commands = [Command(name, "do", to, "rule", f"k{partition}", 5, "e1", {}, "digest") for name in names]
    assert writer.commit(outputs=commands) is Code.COMMITTED


@asynccontextmanager
async def engine(
    log: Log,
    *targets: Target,
    clock: Clock,
    leases: Sequence[Lease] = (),
    failures: list[tuple[str, Exception]] | None = None,
    options: EngineOptions = FAST,
    chance: float = 0.5,
    closing: float = 0.2,
) -> AsyncIterator[Engine]:
    """Failures that nobody asked for fail the test."""
    found: list[tuple[str, Exception]] = [] if failures is None else failures
    made = Engine(
        log,
        {target.name: target for target in targets},
        now=clock,
        chance=lambda: chance,
        failed=lambda where, error: found.append((where, error)),
        options=options,
    )
    await made.open()
    for lease in leases:
        made.start(lease)
    try:
        yield made
    finally:
        await asyncio.wait_for(made.close(closing), 10)
    assert failures is not None or found == []


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the log has no event to wait for
            await asyncio.sleep(0.002)


def entries(log: Log, partition: int = 0) -> dict[str, Entry]:
    rows: list[tuple[str, bytes]] = []
    while page := log.scan(partition, DELIVERY, "", rows[-1][0] if rows else "", 1_000):
        rows += page
    return {name: entry for name, value in rows if name != CURSOR and (entry := read(name, value)) is not None}


def states(log: Log, partition: int = 0) -> dict[str, str]:
    return {name: entry.state.value for name, entry in entries(log, partition).items()}


def told(log: Log, partition: int = 0) -> list[tuple[str, str]]:
    """(what, command's id) of each result."""
    batch = log.read(partition, 0, 100_000)
    return [(one.type.rpartition(".")[2], one.payload()["id"]) for one in batch.events if one.kind == RESULT]


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:04}" for number in range(count)]
