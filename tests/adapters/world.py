"""One partition of a real log, commands in its outputs, and delivery of it with clock, chance and faults by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from adapters.alarm_board import AlarmBoard, AlarmPolicy
from adapters.gates import GatePolicy, Gates
from adapters.ledger import CURSOR, DELIVERY, Entry, State, read
from adapters.processor import Delivery
from adapters.retry import RetryPolicy
from adapters.turn import Ack, Bounds, Turn, Want
from adapters.work import Outcome, Verdict, Work
from streams.event import RESULT, Event
from streams.log import Code, Commit, Log, LogUnavailable
from streams.outputs import Asked, Command, Output
from tests.conformance.backends import Clock, Writer, owned

Action = Literal["redrive", "cancel", "expire", "pause", "resume"]
POLICY = RetryPolicy(initial=1.0, factor=2.0, max=60.0, attempts=4, elapsed=3_600.0)
SMALL = Bounds(page=5, capacity=4, scan=1_000, unsaved=3)
DONE = Outcome(Verdict.DONE)
RETRY = Outcome(Verdict.RETRY, "busy")
FINAL = Outcome(Verdict.FINAL, "HTTP 400")
RETURNED = Outcome(Verdict.RETURNED)


class FaultyLog:
    """The log, of which a chosen call fails once: a commit `before` it happens or `after`, or anything that reads."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.commit_fails = ""
        self.reading_fails = ""
        """The name of the method."""
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        if name == self.reading_fails:
            self.reading_fails = ""
            raise LogUnavailable(f"{name} failed, as the test wanted")
        return getattr(self._log, name)

    def commit(self, commit: Commit) -> Code:
        how, self.commit_fails = self.commit_fails, ""
        if how == "before":
            raise LogUnavailable("the commit never arrived")
        code = self._log.commit(commit)
        if code is Code.COMMITTED:
            self.commits += 1
        if how == "after":
            raise LogUnavailable("the answer of the commit was lost")
        return code


class World:
    def __init__(
        self,
        log: Log,
        clock: Clock,
        targets: Mapping[str, RetryPolicy] | None = None,
        bounds: Bounds = SMALL,
        chance: Callable[[], float] = lambda: 0.5,
        gates: Mapping[str, GatePolicy] | None = None,
        alarms: Mapping[str, AlarmPolicy] | None = None,
        board: AlarmBoard | None = None,
        partition: int = 0,
    ) -> None:
        """`board`: of a process that has other partitions, too."""
        self.log = FaultyLog(log)
        self.clock = clock
        self.targets = targets if targets is not None else {"police": POLICY, "bank": POLICY}
        self.bounds = bounds
        self.chance = chance
        self.policies = gates or {}
        self.alarms = alarms or {}
        self.board = board
        self.partition = partition
        self.decided: dict[str, Command] = {}
        self.rules = Writer(log, partition)
        self.held = owned(log, partition, role=DELIVERY)
        self.restart()

    def restart(self) -> None:
        """Another owner takes over; what the one before had in memory is gone."""
        self.log._log.release(self.held)
        self.held = owned(self.log._log, self.partition, role=DELIVERY)
        self.woken = False
        """Whether more or less may be sent than before, so that everybody is to look again."""
        self.gates = Gates(self.policies, self._wake)
        self.delivery = Delivery(
            self.log,  # type: ignore[arg-type]
            self.held,
            self.targets,
            self.chance,
            self.bounds,
            self.gates,
            self.board or AlarmBoard(self.alarms),
        )

    def _wake(self) -> None:
        self.woken = True

    def decide(self, *names: str, to: str = "police", shadow: bool = False, hops: int = 0) -> None:
        """The rules commit these commands, all of one commit."""
        outputs: list[Output] = []
        for name in names:
            command = Command(name, "do", to, "rule", "A", 5_000_000, "e1", {"n": name}, "digest", shadow, hops)
            outputs.append(self.decided.setdefault(name, command))
        assert self.rules.commit(outputs=outputs) is Code.COMMITTED

    def ask(self, action: Action, *names: str, reason: str = "") -> None:
        """As evaluation does when it comes to the event that asks."""
        assert self.rules.commit(outputs=[Asked(action, names, reason)]) is Code.COMMITTED

    def turn(self, *acks: tuple[Work, Outcome], to: str = "police", limit: int = 0, ttl: float = 60.0) -> Turn:
        wants = [Want(to, limit, ttl)] if limit else []
        return self.delivery.turn(self.clock(), [Ack(work, outcome) for work, outcome in acks], wants)

    def lease(self, limit: int = 100, to: str = "police", ttl: float = 60.0) -> list[Work]:
        """What is granted until nothing more is found."""
        found: list[Work] = []
        while True:
            turn = self.turn(to=to, limit=limit - len(found), ttl=ttl)
            found += turn.works
            if len(found) >= limit or not (turn.works or turn.more):
                return found

    def entry(self, name: str) -> Entry:
        """As it is stored."""
        return self.entries()[name]

    def entries(self) -> dict[str, Entry]:
        log = self.log._log
        rows: list[tuple[str, bytes]] = []
        while page := log.scan(self.partition, DELIVERY, "", rows[-1][0] if rows else "", 1_000):
            rows += page
        return {name: entry for name, value in rows if name != CURSOR and (entry := read(name, value)) is not None}

    def state(self, name: str) -> State:
        return self.entry(name).state

    def results(self) -> list[Event]:
        """The events that delivery appended, in order."""
        log = self.log._log
        found: list[Event] = []
        after = 0
        while (batch := log.read(self.partition, after, 1_000)).events:
            found += batch.events
            after = batch.offsets[-1]
        return [event for event in found if event.kind == RESULT]

    def told(self) -> list[tuple[str, str]]:
        """(what, command's id) of each result."""
        return [(event.type.rpartition(".")[2], event.payload()["id"]) for event in self.results()]


def ids(works: Sequence[Work]) -> list[str]:
    return [work.id for work in works]
