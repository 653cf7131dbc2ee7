"""The reference run: a rule set over a whole history in memory, with the order of RULES.md §13.

All partitions share one clock, the latest time seen minus lateness, and one order. Before an event whatever is due
before the clock fires, in all partitions, by (time, priority, place in file, order of opening); then the event is
handled completely, in every partition it concerns and with all it emits, before the next. So the commands are the same
for every number of partitions. The evaluation is the very code that live partitions run; only what crosses keys, and
what fires when, is ordered here.

Used by `orchestrator simulate`, by `tests:` of rule files and by the test kit. Pure, one thread; keeps all state and
all outputs in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any

from rules.nodes.waiting import DUE, ORDER, Entry
from rules.processor import RulesProcessor
from rules.step import Evaluation, Waiter
from streams.copies import Copies
from streams.event import OUTSIDE, TICK, Event
from streams.keys import partition_of
from streams.outputs import Command, Derived, Output
from streams.processor import Partition, Poisoned, Step
from streams.state import DAWN, Cell, decode_cell, encode_cell

Due = tuple[int, int, int, str, Waiter]
"""(due, rank, order of opening over all keys, key, waiter)."""
Sent = tuple[str, str, Event]
"""(route, key, event)."""


class _Cells(dict[str, Cell]):
    """Every key has a cell: nothing was stored before."""

    def __missing__(self, key: str) -> Cell:
        cell = self[key] = Cell()
        return cell


class _Evaluation(Evaluation):
    """One partition's. Forwards and what waits go to what all partitions share, and so do copies of rows: one that
    changes has changed everywhere."""

    __slots__ = ("_due", "_forwards", "_order", "finished")

    def __init__(
        self, processor: RulesProcessor, step: Step, due: list[Due], order: Iterator[int], forwards: deque[Sent]
    ) -> None:
        super().__init__(processor, step)
        self._due = due
        self._order = order
        self._forwards = forwards
        self.finished = DAWN
        """What was due up to and including this time has fired, though the clock is not past it."""

    def ended(self, end: int, cell: Cell) -> bool:
        return end <= self.finished or super().ended(end, cell)

    def emitted(self, rule: str, key: str, event: Event, shadow: bool) -> None:
        if event.key != key and not shadow:
            self.outputs.append(Derived(rule, event, False, self.offset))
        super().emitted(rule, key, event, shadow)

    def forward(self, route: str, key: str, event: Event) -> None:
        self._forwards.append((route, key, event))

    def copy(self, projection: str, key: str, row: dict[str, Any] | None, time: int) -> None:
        self.keep_copy(projection, key, row)

    def order(self, cell: Cell) -> int:
        return next(self._order)

    def opened(self, waiter: Waiter, key: str, entry: Entry) -> None:
        heappush(self._due, (entry[DUE], waiter.rank, entry[ORDER], key, waiter))


class Simulation:
    """Give it events in order, then `finish` it; `outputs`, `counts` and rows can be read at any time."""

    def __init__(self, processor: RulesProcessor, partitions: int = 1) -> None:
        self.processor = processor
        self.clock = DAWN
        """Microseconds: what lies before it has fired."""
        self.events = 0
        """Events handled; neither duplicates nor ticks."""
        self.duplicates = 0
        self.late = 0
        self.outputs: list[Output] = []
        """Commands, derived events (those for other keys too) and loops, in order; an output's offset is the place of
        its event, from 1."""
        self.counts: dict[str, int] = {}
        """As `Step.counts`, without `late`."""
        self.reasons: dict[str, str] = {}
        self._latest = DAWN
        self._place = 0
        self._seen: dict[str, set[str]] = {}
        """Source → ids."""
        self._due: list[Due] = []
        """A heap. What was cancelled or replaced stays in it until its time."""
        self._forwards: deque[Sent] = deque()
        self._copies = Copies()
        order = count(1)
        self._partitions: list[_Evaluation] = []
        for _ in range(partitions):
            step = Step(Partition(), _Cells(), None, self._copies)
            step.outputs, step.counts, step.reasons = self.outputs, self.counts, self.reasons
            self._partitions.append(_Evaluation(processor, step, self._due, order, self._forwards))

    @property
    def commands(self) -> list[Command]:
        return [output for output in self.outputs if isinstance(output, Command)]

    def row(self, projection: str, key: str) -> dict[str, Any] | None:
        """The row of a key as it is now."""
        cell = self._of(key).cells.get(key)
        return None if cell is None else cell.rows.get(self.processor.projection_ids[projection])

    def event(self, event: Event) -> None:
        """The next event of the input. Raises Poisoned if it cannot be evaluated, with its place as offset; the
        simulation is then of no further use."""
        self._place += 1
        if event.time > self._latest:
            self._latest = event.time
        try:
            self._handle(event)
        except Poisoned:
            raise
        except Exception as error:
            raise Poisoned(self._place, event, f"{type(error).__name__}: {error}") from error

    def _handle(self, event: Event) -> None:
        if event.type == TICK:
            self._advance(event.time)
            return
        seen = self._seen.get(event.source)
        if seen is None:
            seen = self._seen[event.source] = set()
        if event.id in seen:
            self.duplicates += 1
            return
        seen.add(event.id)
        self.events += 1
        if event.kind == OUTSIDE:
            clock = event.time - self.processor.lateness
            if clock > self.clock:
                self._advance(clock)
            elif event.time < self.clock:
                self.late += 1
        self._of(event.key).run([event], (self._place,))
        if self._forwards:
            self._deliver()

    def approach(self, event: Event) -> None:
        """Moves the clock as this event will, when it is given: what that fires has fired then."""
        clock = event.time - self.processor.lateness
        if event.kind == OUTSIDE and clock > self.clock:
            self._advance(clock)

    def cell(self, key: str) -> Cell:
        """A copy of what is known of a key now."""
        cell = self._of(key).cells.get(key)
        return Cell() if cell is None else decode_cell(encode_cell(cell))

    @property
    def copies(self) -> Copies:
        """Rows that lie in every partition. Read only."""
        return self._copies

    def finish(self, until: int | None = None) -> None:
        """Moves the clock to `until` (microseconds; by default the greatest time seen, without lateness). Everything
        due up to and including it fires, also what that opens."""
        until = self._latest if until is None else until
        self._advance(until + 1, until)
        for evaluation in self._partitions:
            evaluation.finished = max(evaluation.finished, until)

    def _advance(self, target: int, clock: int | None = None) -> None:
        """Fires what is due before `target`; the clock stops at each on its way, and ends at `clock`."""
        due = self._due
        while due and due[0][0] < target:
            at, _, order, key, waiter = heappop(due)
            evaluation = self._of(key)
            cell = evaluation.cells[key]
            pending = cell.nodes.get(waiter.id)
            if not pending or pending[0][DUE] != at or pending[0][ORDER] != order:
                continue  # cancelled, replaced, put off, or fired because it was already past
            if at > self.clock:
                self.clock = evaluation.tick = at
            evaluation.fire_next(key, cell)
            if self._forwards:
                self._deliver()
        self.clock = max(self.clock, target if clock is None else clock)

    def _deliver(self) -> None:
        """What crosses keys, first in first out, each handled completely."""
        while self._forwards:
            route, key, event = self._forwards.popleft()
            self._of(key).forwarded(route, key, event)

    def _of(self, key: str) -> _Evaluation:
        partitions = self._partitions
        evaluation = partitions[0 if len(partitions) == 1 else partition_of(key, len(partitions))]
        evaluation.tick = self.clock
        evaluation.offset = self._place
        return evaluation
