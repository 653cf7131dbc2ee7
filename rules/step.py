"""The step: what one event, or one tick, does to the state of a key (RULES.md §2 and §9).

`rules.processor` has an evaluation do it for each batch; `simulation` drives the same parts over a whole file. Pure:
the same events after the same state give the same outputs.

What one event does, under one key, in this order:

1.  If it comes from outside, the key's clock moves to its time minus lateness, never back. An event before the clock
    (the key's, or the latest tick) is late: counted, and then treated like any other.
2.  Deadlines that the clock has passed (due < clock) fire, in the order (due, priority, place in file, order of
    opening). The clock stops at each (`Evaluation.now`), which is completed before the next: `now` is its due time,
    and derived events of the same key follow at once, as in 5. What they open takes its place in this order, also if
    it is before deadlines that wait.
3.  Listeners whose `by` gives another key leave as forwards, one for each route, in the order of the routes. Then the
    folds of those that stay run, in file order.
4.  Rules, by priority, then file order: first the event cancels what the rule has pending, or moves its sequences on,
    then, if `when` holds, the rule opens a deadline or a sequence, or fires.
5.  Derived events of the same key, first in first out, each through 3 and 4 completely before the next. They move no
    clock, and no deadline fires between them. Those of other keys left as forwards in 4.
6.  As 2: what this event opened and the clock has already passed fires, dated in the past.

A forwarded event goes through the same under the key of its route, seen by the listeners of that route alone; so no
forward can cause another of the same event. A derived event that was forwarded (route "") is an own event of its key.
A tick at T lets what is due before T fire (2) for the keys that the agent names, earliest first over all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from operator import attrgetter
from typing import Any, Final, Protocol

import msgspec

from rules import cel
from rules.nodes.waiting import DUE, ORDER, Entry
from streams.copies import MOST
from streams.event import CONTROL, COPIED, FORWARDED, OUTSIDE, Copied, Event, Forwarded
from streams.outputs import Copy, Decision, Derived, Forward, Output
from streams.processor import Poisoned, Step
from streams.state import NEVER, Cell

FEW: Final = 4
"""Events of a type that are too few for a run of their own: types alternate."""
MOST_DERIVED: Final = 10_000
TOO_MANY: Final = f"more than {MOST_DERIVED:,} events for one key were derived from one: this is taken for a loop"
TOO_MANY_COPIES: Final = f"a row is not copied: `scope: everywhere` is for no more than {MOST:,} rows"
_copied: Final = msgspec.json.Decoder(Copied).decode
_forwarded: Final = msgspec.json.Decoder(Forwarded).decode
_key: Final = attrgetter("key")


class Route(Protocol):
    """A distinct `by` expression (`rules.compile.plan`)."""

    @property
    def id(self) -> str: ...

    @property
    def listeners(self) -> Sequence[str]: ...

    def key(self, event: Event, /) -> str: ...


class Plan(Protocol):
    """What to do with events of a type (`rules.compile.plan`)."""

    @property
    def routes(self) -> Sequence[Route]: ...

    def run(self, ev: Evaluation, events: list[Event], offsets: Sequence[int], i: int, n: int, /) -> int: ...

    def one(self, routes: tuple[str, ...], /) -> Callable[..., None]: ...

    def current(self, event: Event, /) -> Event: ...

    def misfit(self, event: Event, /) -> str | None: ...


class Plans(Protocol):
    def __getitem__(self, type: str, /) -> Plan: ...

    @property
    def mixed(self) -> Callable[[Evaluation, list[Event], Sequence[int], int, int], int]: ...


class Waiter(Protocol):
    """What fires, closes or forgets when the clock has passed the first entry of its node (`rules.nodes.waiting`)."""

    @property
    def id(self) -> str:
        """Of the node, under which its state lies in `Cell.nodes`."""
        ...

    @property
    def rank(self) -> int:
        """The place among what is due at one time, before the order of opening."""
        ...

    def expire(self, evaluation: Evaluation, key: str, cell: Cell, /) -> None:
        """Takes the first entry out, does what follows, and leaves `Cell.due` right (`Evaluation.rearm`)."""
        ...


class Parts(Protocol):
    """What an evaluation needs of a compiled rule set (`rules.processor`)."""

    lateness: int
    projections: Mapping[str, str]
    """Id → name."""
    plans: Plans
    waiters: Mapping[str, Waiter]
    keeps: Mapping[str, int]
    """Node id → `Forgetful.keeps`."""


class Evaluation:
    """One step at work: what it reads, and what it has put out so far. Generated code drives it."""

    __slots__ = (
        "_copies",
        "_counts",
        "_keeps",
        "_lateness",
        "_mixed",
        "_plans",
        "_projections",
        "_reasons",
        "_waiters",
        "cells",
        "copies",
        "dirty",
        "late",
        "offset",
        "outputs",
        "queue",
        "stop",
        "tick",
    )

    def __init__(self, processor: Parts, step: Step) -> None:
        self.cells = step.cells
        self.copies = step.copies.rows
        """Projection id → key → row, of those that lie in every partition. Read only: `copy` changes them."""
        self.dirty = step.dirty
        self.outputs: list[Output] = step.outputs
        self.tick = step.partition.tick
        self.offset = 0
        """Of the event at hand: outputs carry it."""
        self.late = 0
        self.queue: deque[Event] = deque()
        """Derived events of the key at hand, not yet handled."""
        self._copies = step.copies
        self.stop: int | None = None
        """Where the clock of the key at hand stands on its way past what is due."""
        self._counts = step.counts
        self._reasons = step.reasons
        self._mixed = processor.plans.mixed
        self._plans = processor.plans
        self._projections = processor.projections
        self._waiters = processor.waiters
        self._keeps = processor.keeps
        self._lateness = processor.lateness

    # ------------------------------------------------------------ events

    def run(self, events: list[Event], offsets: Sequence[int]) -> None:
        """All of them, in order. Raises Poisoned."""
        offsets = list(offsets)  # of a range each would be computed
        i, n = 0, len(events)
        run = None
        while i < n:
            event = events[i]
            if event.kind != CONTROL:
                begun = i
                i = (run or self._plans[event.type].run)(self, events, offsets, i, n)
                run = self._mixed if run is None and i - begun < FEW else None
                continue
            run = None
            self.offset = offsets[i]
            try:
                self._control(event)
            except Exception as error:
                raise Poisoned(offsets[i], event, f"{type(error).__name__}: {error}") from error
            i += 1

    def _control(self, event: Event) -> None:
        if event.type == FORWARDED:
            sent = _forwarded(event.data)
            self.forwarded(sent.route, event.key, self.current(sent.event))
        elif event.type == COPIED:
            copied = _copied(event.data)
            self.keep_copy(copied.projection, event.key, copied.row)
        else:
            raise ValueError(f"{event.type} is for the agent, not for rules")

    def forwarded(self, route: str, key: str, event: Event) -> None:
        """An event that came here because a route, or a derived event's subject, led to this key."""
        cell = self.cells[key]
        clock = self.moved(event, key, cell)
        if cell.due < clock:
            self.expire(key, cell, clock)
        if route:
            self._plans[event.type].one((route,))(self, event, key, cell)
        else:
            self.consider(event, key, cell)
        if self.queue:
            self.drain(key, cell)
        if cell.due < clock:
            self.overdue(key, cell, clock)

    def current(self, event: Event) -> Event:
        """The event as the newest version of its type has it (RULES.md §11): events are kept in the log and in state
        as they were when they came there. The fused functions have the same inlined."""
        return self._plans[event.type].current(event)

    def moved(self, event: Event, key: str, cell: Cell) -> int:
        """Moves the key's clock, and says what it is now. The fused functions have the same inlined."""
        if event.kind == OUTSIDE:
            if event.time < cell.clock or event.time < self.tick:
                self.late += 1
            moved = event.time - self._lateness
            if moved > cell.clock:
                cell.clock = moved
                self.dirty.add(key)
        return max(cell.clock, self.tick)

    def consider(self, event: Event, key: str, cell: Cell) -> None:
        """An event under its own key: each route leads here or elsewhere; then folds and rules of those that stay."""
        plan = self._plans[event.type]
        why = plan.misfit(event)
        if why is not None:
            self.count(f"schema|{event.type}")
            self._reasons[f"event {event.type}"] = why
        here: list[str] = []
        for route in plan.routes:
            try:
                led = route.key(event)
            except cel.CelEvaluationError as error:
                for listener in route.listeners:
                    self.not_evaluated(listener, error)
                continue
            if led == key:
                here.append(route.id)
            else:
                self.forward(route.id, led, event)
        plan.one(tuple(here))(self, event, key, cell)

    def drain(self, key: str, cell: Cell) -> None:
        """Derived events of the same key, first in first out; of those that follow from one event, the first
        MOST_DERIVED."""
        queue, left = self.queue, MOST_DERIVED
        while queue:
            event = queue.popleft()
            if left:
                left -= 1
                self.consider(event, key, cell)
            else:
                self.looped(key, event, TOO_MANY)

    # ------------------------------------------------------------ what waits

    def now(self, cell: Cell) -> int:
        """The clock of a key."""
        if self.stop is not None:
            return self.stop
        return max(cell.clock, self.tick)

    def ended(self, end: int, cell: Cell) -> bool:
        """Whether a window that ends then has fired, or would have: the clock is past its end."""
        return end < self.now(cell)

    def expire(self, key: str, cell: Cell, clock: int) -> None:
        """All of a key that is due before `clock`, each with what it derives. The clock stops at each on its way, so
        that what is derived from it is not late."""
        if len(cell.nodes) == 1:
            (id,) = cell.nodes
            keeps = self._keeps.get(id)
            if keeps is not None:
                # nothing but forgetting is due, and the event at hand may be one to remember
                cell.due = clock + keeps
                self.dirty.add(key)
                return
        self.stop = cell.due
        while cell.due < clock:
            self.stop = max(self.stop, cell.due)
            self.fire_next(key, cell)
        self.stop = None

    def overdue(self, key: str, cell: Cell, clock: int) -> None:
        """The same of what was due already when it opened: the clock has been there."""
        while cell.due < clock:
            self.fire_next(key, cell)

    def fire_next(self, key: str, cell: Cell) -> None:
        """What is due first for a key, and what it derives for the same key."""
        nodes = cell.nodes
        if len(nodes) == 1:
            # most keys wait for one thing
            (id,) = nodes
            waiter = self._waiters.get(id)
        else:
            waiter = self._next(cell)
        if waiter is None:
            # what was due belonged to a rule that is no more
            self.rearm(cell)
            self.dirty.add(key)
            return
        waiter.expire(self, key, cell)
        if self.queue:
            self.drain(key, cell)

    def _next(self, cell: Cell) -> Waiter | None:
        first: tuple[int, int, int] | None = None
        found: Waiter | None = None
        for id, state in cell.nodes.items():
            waiter = self._waiters.get(id)
            if waiter is None or state[0][DUE] > cell.due:
                continue
            place = state[0][DUE], waiter.rank, state[0][ORDER]
            if first is None or place < first:
                first, found = place, waiter
        return found

    def rearm(self, cell: Cell) -> None:
        """Makes `Cell.due` the earliest of what waits."""
        waiters, due = self._waiters, NEVER
        for id, state in cell.nodes.items():
            if id in waiters and state[0][DUE] < due:
                due = state[0][DUE]
        cell.due = due

    def order(self, cell: Cell) -> int:
        """Draws the place of an entry in the order of opening: of its key, here; `simulation` orders over all keys."""
        cell.opened += 1
        return cell.opened

    def opened(self, waiter: Waiter, key: str, entry: Entry) -> None:
        """Told of each entry that opens, or is due at another time than before: cells know what is due here."""

    def ticked(self, event: Event, offset: int, step: Step) -> None:
        """One tick. Raises Poisoned."""
        self.offset = offset
        try:
            limit = event.payload()["limit"]
            tick = self.tick = step.partition.tick = max(step.partition.tick, event.time)
            due = [(self.cells[key].due, key) for _, key in step.due]
            heapify(due)
            while due and limit > 0 and due[0][0] < tick:
                key = due[0][1]
                cell = self.cells[key]
                # never back: what a key opened in the past is due before others, but fires at once
                self.stop = due[0][0] if self.stop is None else max(self.stop, due[0][0])
                self.fire_next(key, cell)
                limit -= 1
                if cell.due < tick:
                    heapreplace(due, (cell.due, key))
                else:
                    heappop(due)
            self.stop = None
        except Exception as error:
            raise Poisoned(offset, event, f"{type(error).__name__}: {error}") from error

    # ------------------------------------------------------------ what comes out

    def forward(self, route: str, key: str, event: Event) -> None:
        self.outputs.append(Forward(route, key, event, self.offset))

    def copy(self, projection: str, key: str, row: dict[str, Any] | None, time: int) -> None:
        """A row that every partition has changed here, by an event of this time; None: it is gone."""
        self.keep_copy(projection, key, row)
        self.outputs.append(Copy(projection, key, row, time, self.offset))

    def keep_copy(self, projection: str, key: str, row: dict[str, Any] | None) -> None:
        """As this partition reads it from now on."""
        if not self._copies.set(projection, key, row):
            name = self._projections.get(projection, projection)
            self.not_evaluated(f"projection {name}", cel.CelEvaluationError(TOO_MANY_COPIES))

    def emitted(self, rule: str, key: str, event: Event, shadow: bool) -> None:
        """A derived event of a firing under `key`. A shadow is recorded and goes nowhere."""
        if shadow or event.key == key:
            self.outputs.append(Derived(rule, event, shadow, self.offset))
            if not shadow:
                self.queue.append(event)
        else:
            self.forward("", event.key, event)

    def looped(self, key: str, event: Event, reason: str) -> None:
        self.outputs.append(Decision("looped", self.offset, key, event.source, event.id, reason))
        self.count("looped")

    def count(self, name: str, more: int = 1) -> None:
        self._counts[name] = self._counts.get(name, 0) + more

    def not_evaluated(self, listener: str, error: cel.CelEvaluationError) -> None:
        self.count(f"not_evaluated|{listener}")
        self._reasons[listener] = error.message
