"""One partition of a log in memory, its commands and their delivery, with the clock in the hands of the test.

What decides, hands out and records is what a server runs; only who calls it when is the test's.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from adapters import kinds
from adapters.adapter import Adapter
from adapters.engine import Engine, EngineOptions
from adapters.kind import Kind, Surroundings
from adapters.ledger import CURSOR, DELIVERY, OPEN, Entry, find
from adapters.partition_loop import Pace
from adapters.processor import Delivery
from adapters.registry import load_targets
from adapters.retry import RetryPolicy
from adapters.target import Target
from adapters.testing.other_end import OtherEnd
from adapters.turn import Ack, Turn, Want
from adapters.work import Outcome, Work
from adapters.workers import BREAKING_OFF, SLACK
from streams.backends.open import open_log
from streams.event import RESULT
from streams.log import Code, Commit, Lease, role_of
from streams.outputs import Asked, Command, Output

NAME: Final = "subject"
"""Of the target."""
LEASE: Final = 60.0
"""Seconds."""
RETRY: Final = RetryPolicy(initial=1.0, factor=2.0, max=60.0, attempts=50, elapsed=86_400.0)
ROUNDS: Final = 1_000
"""Looks at what is open until it should have ended."""
_RULES: Final = "rules"


class Clock:
    """Microseconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self._now = 1_750_000_000_000_000

    def __call__(self) -> int:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * 1e6)


class Partition:
    """`keys`: of the target, beside what the other end says."""

    def __init__(self, end: OtherEnd, **keys: Any) -> None:
        self.clock = Clock()
        self.target = load(end, self.clock, **keys)
        self._end = end
        self._log = open_log("memory://", partitions=1, now=self.clock)
        self._rules = self._acquire(_RULES)
        self._decided = 0
        self._commits = 0
        self._held = self._acquire(DELIVERY)
        self._delivery = self._deliver()

    def close(self) -> None:
        self._log.close()

    def decide(self, count: int = 1) -> list[str]:
        """The rules commit so many commands; their ids."""
        commands = [self._command(number) for number in range(self._decided, self._decided + count)]
        self._decided += count
        self._commit(commands)
        return [command.id for command in commands]

    def redrive(self, id: str) -> None:
        """Somebody wants it to be sent again after all."""
        self._commit([Asked("redrive", (id,))])

    def crash(self) -> None:
        """The process that delivers dies; another takes over from what is stored."""
        self._log.release(self._held)
        self._held = self._acquire(DELIVERY)
        self._delivery = self._deliver()

    # -- by hand

    def lease(self, limit: int = 1) -> list[Work]:
        """What is due, up to `limit`."""
        found: list[Work] = []
        while len(found) < limit:
            turn = self._turn(wants=(Want(NAME, limit - len(found), LEASE),))
            found += turn.works
            if not (turn.works or turn.more):
                break
        return found

    def lease_one(self) -> Work:
        works = self.lease()
        assert works, "no command is due"
        return works[0]

    def acknowledge(self, work: Work, outcome: Outcome) -> bool:
        """Whether it changed anything."""
        turn = self._turn(acks=(Ack(work, outcome),))
        ((_, changed),) = turn.answers
        return changed

    def lose_leases(self) -> None:
        """All that are held run out, and what was held is due again."""
        self.clock.advance(LEASE + 1)
        self._turn()
        self.clock.advance(RETRY.max + 1)

    async def attempt(self, adapter: Adapter, work: Work) -> Outcome:
        """As a server does it. What the adapter raises fails the test: it would be reported as a fault of it."""
        attempt, limit = asyncio.create_task(adapter.deliver(work)), self.target.timeout
        try:
            await asyncio.wait((attempt,), timeout=limit + SLACK)
        except asyncio.CancelledError:
            await _break_off(attempt)
            if not attempt.done():
                raise
        if not attempt.done():
            await _break_off(attempt)
            raise AssertionError(f"the adapter does not keep to its timeout of {limit:g} s, and had to be cancelled")
        outcome: object = attempt.result()
        assert isinstance(outcome, Outcome), f"it answered with {type(outcome).__name__} instead of an Outcome"
        return outcome

    async def finish(self, adapter: Adapter) -> None:
        """Delivers what is open, waits included, until nothing is."""
        for round in range(ROUNDS):
            for work in self.lease(100):
                self.acknowledge(work, await self.attempt(adapter, work))
            if not self.open_ids():
                return
            await asyncio.sleep(0.01 * (round > 0))  # what waits, waits for the other end, which has a clock of its own
            self.clock.advance(RETRY.max + 1)
        raise AssertionError(f"after {ROUNDS} rounds still open: {self.open_ids()[:5]}")

    # -- as a server does it

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        """Delivers until it is left. What an adapter raises fails the test."""
        failures: list[tuple[str, Exception]] = []
        self._log.release(self._held)
        self._held = self._acquire(DELIVERY)
        engine = Engine(
            self._log,
            {NAME: self.target},
            now=self.clock,
            chance=lambda: 0.5,
            failed=lambda where, error: failures.append((where, error)),
            options=EngineOptions(pace=Pace(least=0.001)),
        )
        await engine.open()
        engine.start(self._held)
        try:
            yield engine
        finally:
            await engine.close(1.0)
            self.crash()
        assert failures == [], failures

    # -- what is stored

    def entries(self) -> dict[str, Entry]:
        return find(self._log, 0, [_id(number) for number in range(self._decided)])

    def state(self, id: str) -> str:
        return self.entries()[id].state.value

    def open_ids(self) -> list[str]:
        self._turn()
        return [id for id, entry in self.entries().items() if entry.state in OPEN]

    def told(self) -> list[tuple[str, str]]:
        """(what became of it, id) of each result that rules would see."""
        events = self._log.read(0, 0, 1_000_000).events
        return [(one.type.rpartition(".")[2], one.payload()["id"]) for one in events if one.kind == RESULT]

    def stored_text(self) -> str:
        """All that delivery wrote: its rows and its events."""
        rows = b"".join(value for name, value in self._log.scan(0, DELIVERY, "", "", 100_000) if name != CURSOR)
        events = b"".join(bytes(one.data) for one in self._log.read(0, 0, 1_000_000).events)
        return (rows + events).decode(errors="replace")

    # -- inside

    def _commit(self, outputs: Sequence[Output]) -> None:
        start = self._commits
        self._commits += 1
        code = self._log.commit(Commit(self._rules, _RULES, start, start + 1, [], outputs, []))
        assert code is Code.COMMITTED, code

    def _acquire(self, processor: str) -> Lease:
        lease = self._log.acquire(0, "test", 3_600.0, role_of(processor))
        assert lease is not None
        return lease

    def _deliver(self) -> Delivery:
        return Delivery(self._log, self._held, {NAME: RETRY}, lambda: 0.5)

    def _turn(self, acks: tuple[Ack, ...] = (), wants: tuple[Want, ...] = ()) -> Turn:
        turn = self._delivery.turn(self.clock(), acks, wants)
        assert not turn.more or not acks or turn.answers, "an acknowledgement was not answered"
        return turn

    def _command(self, number: int) -> Command:
        args = self._end.args(number)
        return Command(_id(number), "do", NAME, "rule", f"key-{number}", self.clock(), "event-1", args, "digest")


async def _break_off(attempt: asyncio.Task[Outcome]) -> None:
    """It may go on nevertheless."""
    attempt.cancel()
    await asyncio.wait((attempt,), timeout=BREAKING_OFF)


def load(end: OtherEnd, clock: Clock, secrets: dict[str, str] | None = None, **keys: Any) -> Target:
    """As a server reads its file. Raises TargetError."""
    found = dict(end.secrets) if secrets is None else secrets
    around = Surroundings(clock, found.get, imports=end.imports)
    text = json.dumps({"targets": {NAME: {**end.target(), **keys}}})
    return load_targets(text, "targets.yaml", around)[NAME]


def kind_of(end: OtherEnd) -> Kind:
    kind = kinds.find(end.target()["kind"])
    assert kind is not None, f"no distribution that is installed has the kind `{end.target()['kind']}`"
    return kind


def _id(number: int) -> str:
    return hashlib.sha256(f"command {number}".encode()).hexdigest()[:32]
