"""The rule language done naively: lists, full scans, one evaluator, nothing compiled, nothing remembered twice.

It is written from RULES.md alone and shares no code with `rules.reading`, `rules.compile`, `rules.nodes` and
`rules.step`; only CEL itself is taken from `rules.cel`. Slow on purpose. `own`, `forwarded` and `tick` follow the log
of one partition, `simulate` is RULES.md §13.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rules import cel
from streams.event import OUTSIDE, Event
from tests.oracle.deciding import Deciding
from tests.oracle.document import By, Document, Rule, heard
from tests.oracle.meeting import Meeting
from tests.oracle.rows import Rows
from tests.oracle.values import evaluated, event_value, looked_up, moment
from tests.oracle.version import brought_up, misfit
from tests.oracle.waiting import Kept, Waiting

BEGINNING = -(10**30)


@dataclass
class Oracle:
    document: Document
    shared: bool = False
    """One clock for all keys, forwards handled at once: the simulation."""
    most_matches: int = 1_000
    """Of one sequence and key."""
    clocks: dict[str, int] = field(default_factory=dict)
    """Where a key's own events from outside have brought it."""
    stops: dict[str, int] = field(default_factory=dict)
    """Where a key's clock has stopped on its way to where it is going."""
    clock: int = BEGINNING
    """Of the last tick, or of everybody."""
    waiting: list[Waiting | Kept] = field(default_factory=list)
    outputs: list[tuple[Any, ...]] = field(default_factory=list)
    unevaluated: dict[str, int] = field(default_factory=dict)
    capped: dict[str, int] = field(default_factory=dict)
    """`window_capped|RULE` and `matches_capped|RULE` → how many events and matches there was no room for."""
    crowded: set[str] = field(default_factory=set)
    """`window_capped|RULE` where it was values of `distinct`: how often is not said."""
    misfits: dict[str, int] = field(default_factory=dict)
    late: int = 0
    numbers: int = 0
    forwards: deque[tuple[By | None, str, Event]] = field(default_factory=deque)
    """What crosses keys; a derived event goes by no `by`."""
    derived: deque[Event] = field(default_factory=deque)
    seen: set[tuple[str, str]] = field(default_factory=set)
    latest: int = BEGINNING

    def __post_init__(self) -> None:
        self.rows = Rows(self)
        self.deciding = Deciding(self)
        self.meeting = Meeting(self)
        self.rules = sorted(
            (rule for rule in self.document.rules if rule.enabled), key=lambda rule: (-rule.priority, rule.place)
        )

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def refused(self, listener: str) -> None:
        self.unevaluated[listener] = self.unevaluated.get(listener, 0) + 1

    def dropped(self, what: str, rule: str, count: int) -> None:
        if count > 0:
            self.capped[f"{what}_capped|{rule}"] = self.capped.get(f"{what}_capped|{rule}", 0) + count

    # ---------------------------------------------------------- a live partition

    def own(self, event: Event) -> None:
        self.arrive(brought_up(self.document, event), event.key, None)

    def forwarded(self, by: By | None, key: str, event: Event) -> None:
        self.arrive(event, key, by)

    def tick(self, time: int) -> None:
        self.pass_time(None, time)
        self.clock = max(self.clock, time)

    def arrive(self, event: Event, key: str, by: By | None) -> None:
        if event.kind == OUTSIDE:
            if event.time < self.now_of(key):
                self.late += 1
            target = event.time - self.document.lateness
            self.pass_time(key, target)
            self.clocks[key] = max(self.clocks.get(key, BEGINNING), target)
        self.handle(event, key, by)

    # ---------------------------------------------------------- the simulation

    def simulate(self, events: list[Event], until: int | None = None) -> None:
        for event in events:
            self.latest = max(self.latest, event.time)
            if event.type == "orchestrator.tick":
                self.move(event.time)
                continue
            if (event.source, event.id) in self.seen:
                continue
            self.seen.add((event.source, event.id))
            if event.kind == OUTSIDE:
                if event.time < self.clock:
                    self.late += 1
                self.move(event.time - self.document.lateness)
            self.handle(brought_up(self.document, event), event.key, None)
            self.deliver()
        until = self.latest if until is None else until
        self.pass_time(None, until + 1)
        self.clock = max(self.clock, until)

    def move(self, to: int) -> None:
        self.pass_time(None, to)
        self.clock = max(self.clock, to)

    def deliver(self) -> None:
        while self.forwards:
            by, key, event = self.forwards.popleft()
            self.handle(event, key, by)

    # ---------------------------------------------------------- time

    def now_of(self, key: str) -> int:
        if self.shared:
            return self.clock
        return max(self.clock, self.clocks.get(key, BEGINNING), self.stops.get(key, BEGINNING))

    def order(self, each: Waiting | Kept) -> tuple[Any, ...]:
        return each.due, *each.rank, each.number

    def pass_time(self, key: str | None, to: int) -> None:
        """What is due before that time fires, for one key or all; the clock stops at each on its way."""
        while True:
            passed = [each for each in self.waiting if key in (None, each.key) and each.due < to]
            if not passed:
                return
            if key is None and not self.shared:
                # a tick goes over all keys, which do not see each other: there the key breaks ties
                each = min(passed, key=lambda each: (each.due, each.key, *self.order(each)))
            else:
                each = min(passed, key=self.order)
            if self.shared:
                self.clock = max(self.clock, each.due)
            else:
                self.stops[each.key] = max(self.now_of(each.key), each.due)
            if isinstance(each, Kept):
                self.rows.drop(each.projection, each.key)
                continue
            self.waiting.remove(each)
            self.meeting.expire(each)
            self.follow(each.key)
            if self.shared:
                self.deliver()

    # ---------------------------------------------------------- one event under one key

    def handle(self, event: Event, key: str, by: By | None) -> None:
        self.pass_time(key, self.now_of(key))
        if by is None:
            self.whole(event, key)
        else:
            self.evaluate(event, key, [by.text])
        self.follow(key)
        self.pass_time(key, self.now_of(key))

    def follow(self, key: str) -> None:
        while self.derived:
            self.whole(self.derived.popleft(), key)

    def send(self, by: By | None, key: str, event: Event) -> None:
        if self.shared:
            self.forwards.append((by, key, event))
        else:
            self.outputs.append(("forward", "" if by is None else by.text, key, event.id))

    def whole(self, event: Event, key: str) -> None:
        """Every listener whose key this is; the others are forwarded to, once for each `by`."""
        if misfit(self.document, event):
            self.misfits[event.type] = self.misfits.get(event.type, 0) + 1
        listeners = [(each.by, f"projection {each.name}") for each in self.rows.folding(event.type)]
        listeners += [(rule.by, rule.name) for rule in self.rules if self.cancels(rule, event)]
        listeners += [(rule.by, rule.name) for rule in self.rules if heard(rule.hears, event.type)]
        here: list[str] = []
        for way in dict.fromkeys(by.text for by, _ in listeners):
            by = next(by for by, _ in listeners if by.text == way)
            try:
                led = cel.text(evaluated(by.of(event.type), {"event": event_value(event)}))
            except cel.CelEvaluationError:
                for name in {name for other, name in listeners if other.text == way}:
                    self.refused(name)
                continue
            if led == key:
                here.append(way)
            else:
                self.send(by, led, event)
        self.evaluate(event, key, here)

    def cancels(self, rule: Rule, event: Event) -> bool:
        return rule.after is not None and rule.unless is not None and heard(rule.unless.on, event.type)

    def evaluate(self, event: Event, key: str, ways: list[str]) -> None:
        for projection in self.rows.folding(event.type):
            if projection.by.text in ways:
                self.rows.fold(projection, event, key)
        for rule in self.rules:
            if rule.by.text not in ways:
                continue
            if self.cancels(rule, event):
                self.meeting.cancel(rule, event, key)
            if heard(rule.hears, event.type):
                self.meeting.meet(rule, event, key)

    def variables(self, event: Event, key: str, now: int) -> dict[str, Any]:
        """What expressions of rules see; `tables` holds what each table says of that."""
        seen = {"event": event_value(event), "key": key, "now": moment(now), **self.rows.seen_by(key)}
        return {**seen, "tables": {name: self.table(name, seen) for name in self.document.tables}}

    def table(self, name: str, seen: dict[str, Any]) -> Any:
        try:
            return looked_up(self.document.tables[name], seen)
        except cel.CelEvaluationError as error:
            return error.again()
