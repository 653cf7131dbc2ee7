"""A log whose commits and appends fail as a drawn plan says, and agents that die of it and are followed by others.

A call can fail before anything is stored, or after it was stored, when only the answer is lost. Either the agent hears
of it as of any failing backend, or its process dies in the middle: the agent object is thrown away without a word and
another one takes over. Or it was only slow: its lease ran out, another one worked meanwhile, and now the call arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, cast

from streams.agent import Agent, AgentOptions
from streams.backends.one_by_one import OneByOne
from streams.event import ACTIVATED, MODE, TICK, Event, control
from streams.keys import partition_of
from streams.log import Append, Log, LogUnavailable
from streams.outputs import Output
from streams.processor import Processor
from streams.state import CELL, NEVER, Cell, decode_cell
from tests.conformance.backends import Clock

SECOND = 1_000_000
LEASE = 1.0
Fault = Literal["", "refused", "answer lost", "killed before", "killed after", "overtaken"]
FAULTS: list[Fault] = ["", "", "", "refused", "answer lost", "killed before", "killed after", "overtaken"]


class Killed(BaseException):
    """The agent's process ended here. No handler of exceptions gets to see it."""


class WoundedLog(OneByOne):
    """What agents see of a log: each commit and each append of theirs takes the next fault of the plan."""

    def __init__(self, log: Log, faults: Sequence[Fault], overtake: Callable[[], None]) -> None:
        self._log = log
        self._faults = list(faults)
        self._overtake = overtake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def commit(self, commit: Any) -> Any:
        return self._call(lambda: self._log.commit(commit))

    def append(self, appends: Any) -> Any:
        return self._call(lambda: self._log.append(appends))

    def _call(self, call: Callable[[], Any]) -> Any:
        fault = self._faults.pop(0) if self._faults else ""
        if fault == "refused":
            raise LogUnavailable("nothing was stored")
        if fault == "killed before":
            raise Killed
        if fault == "overtaken":
            self._overtake()
        answer = call()
        if fault == "answer lost":
            raise LogUnavailable("it was stored, but nobody heard of it")
        if fault == "killed after":
            raise Killed
        return answer


class Agents:
    """One agent at a time, and those it has overtaken. Drive them with `round`; `settle` lets all work be done."""

    def __init__(
        self,
        log: Log,
        processors: Sequence[Processor],
        faults: Sequence[Fault],
        clock: Clock,
        **options: Any,
    ) -> None:
        """`processors` are found by their `digest`. The clock, the log's too, moves a little every round."""
        self.log = log
        self.clock = clock
        self._processors = {each.digest: each for each in processors}  # type: ignore[attr-defined]
        self._wounded = cast(Log, WoundedLog(log, faults, self._overtake))
        self._options = AgentOptions(**{"tick_delay": 0, "lease": LEASE, "longest_pause": 0.2, **options})
        self._made = 0
        self._newest = self._working = self._agent()
        self._overtaken: list[Agent] = []

    def _agent(self) -> Agent:
        self._made += 1
        return Agent(
            self._wounded,
            f"agent {self._made}",
            self._processors.__getitem__,
            monotonic=lambda: self.clock.now / SECOND,
            options=self._options,
        )

    # ------------------------------------------------------------ what they work on

    def all(self, *events: Event) -> None:
        """Control events for every partition."""
        self.log.append([Append(partition, list(events)) for partition in range(self.log.info.partitions)])

    def activate(self, processor: Any, importing: bool) -> None:
        mode = control(MODE, {"importing": importing}, time=0)
        self.all(mode, control(ACTIVATED, {"digest": processor.digest}, time=0))

    def publish(self, events: Sequence[Event]) -> None:
        """As one append; ticks go to every partition."""
        partitions = self.log.info.partitions
        parts: list[list[Event]] = [[] for _ in range(partitions)]
        for event in events:
            for partition in range(partitions) if event.type == TICK else [partition_of(event.key, partitions)]:
                parts[partition].append(event)
        self.log.append([Append(partition, part) for partition, part in enumerate(parts) if part])

    # ------------------------------------------------------------ work

    def round(self, rivals: bool = False) -> bool:
        """Whether anything was done. With `rivals` agents that were overtaken try to work too."""
        self.clock.advance(0.2)
        for rival in [*self._overtaken] if rivals else []:
            self._let(rival)
        return self._let(self._newest)

    def _let(self, agent: Agent) -> bool:
        before, self._working = self._working, agent
        try:
            return self._round(agent)
        except Killed:
            if agent is self._newest:
                self._newest = self._agent()
            else:
                self._overtaken.remove(agent)
            return True
        finally:
            self._working = before

    def _round(self, agent: Agent) -> bool:
        try:
            return agent.round()
        except LogUnavailable:  # a tick could not be appended: `run` ends, and its thread begins again
            agent.leave()
            return True

    def _overtake(self) -> None:
        """While a call of the agent at work is on its way."""
        self.clock.advance(2 * LEASE)
        if self._working is self._newest:
            self._overtaken.append(self._newest)
            self._newest = self._agent()
        self._let(self._newest)

    def settle(self) -> None:
        """Until nothing is left to do and a second of quiet has passed, which is longer than leases and pauses."""
        quiet = rounds = 0
        while quiet < 7 or self.behind():
            quiet = 0 if self.round() else quiet + 1
            rounds += 1
            assert rounds < 5000, [view for view in self._newest.views() if view.state != "running"]

    def leave(self) -> None:
        """Each tries to; faults that are left may end one in the middle of it."""
        for agent in [*self._overtaken, self._newest]:
            with suppress(Killed):
                agent.leave()

    # ------------------------------------------------------------ what came of it

    def behind(self) -> int:
        return sum(each.tail - each.positions.get("rules", 0) for each in self.log.status())

    def events(self, partition: int) -> list[Event]:
        return self.log.read(partition, 0, 1_000_000).events

    def outputs(self, partition: int) -> list[Output]:
        return self.log.outputs(partition, 0, 1_000_000)[1]

    def cells(self, partition: int) -> dict[str, Cell]:
        found = self.log.scan(partition, "rules", CELL, "", 1_000_000)
        return {name[len(CELL) :]: decode_cell(value) for name, value in found}

    def due(self, partition: int) -> list[tuple[int, str]]:
        return self.log.due(partition, "rules", (-NEVER, ""), 1_000_000)
