"""The rule language done naively: lists, full scans, one evaluator, nothing compiled, nothing remembered twice.

It is written from RULES.md alone and shares no code with `rules.compile`, `rules.nodes` and `rules.step`; only CEL
itself is taken from `rules.cel`. Slow on purpose. `live` follows the log of one partition, `simulate` is RULES.md §13.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rules import cel
from rules.model.action import CommandAction
from rules.model.rule import Rule
from rules.model.source import Expression, TemplateText
from rules.ruleset import RuleSet
from streams.event import DERIVED, OUTSIDE, Event

BEGINNING = -(10**30)


def when(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def value_of(expression: Expression, variables: dict[str, Any]) -> Any:
    return cel.compile(expression.text)(variables)


def event_value(event: Event) -> dict[str, Any]:
    return {
        **(event.extensions or {}),
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": when(event.time),
        "data": json.loads(bytes(event.data)),
    }


def heard(patterns: tuple[str, ...], type: str) -> bool:
    def fits(pattern: str) -> bool:
        if type.startswith("orchestrator."):
            return pattern == type
        if pattern.endswith("*"):
            return type.startswith(pattern[:-1])
        return pattern == type

    return any(fits(pattern) for pattern in patterns)


def fits(fields: dict[str, Any], data: Any) -> bool:
    """Whether data have the declared shape."""
    kinds = {
        "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
        "integer": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0,
        "string": lambda value: isinstance(value, str),
        "boolean": lambda value: isinstance(value, bool),
        "any": lambda value: True,
    }
    if not isinstance(data, dict):
        return False
    return all(
        kinds[field.kind](data[name]) or (field.optional and data[name] is None) if name in data else field.optional
        for name, field in fields.items()
    )


@dataclass
class Pending:
    rule: Rule
    key: str
    opening: Event
    lets: dict[str, Any]
    number: int

    @property
    def due(self) -> int:
        assert self.rule.deadline is not None
        return self.opening.time + self.rule.deadline.after


@dataclass
class Oracle:
    ruleset: RuleSet
    shared: bool = False
    """One clock for all keys, forwards handled at once: the simulation."""
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    clocks: dict[str, int] = field(default_factory=dict)
    clock: int = BEGINNING
    """Of the last tick, or of everybody."""
    pending: list[Pending] = field(default_factory=list)
    fired: dict[tuple[str, str], int] = field(default_factory=dict)
    outputs: list[tuple[Any, ...]] = field(default_factory=list)
    unevaluated: dict[str, int] = field(default_factory=dict)
    misfits: dict[str, int] = field(default_factory=dict)
    late: int = 0
    numbers: int = 0
    forwards: deque[tuple[Expression | None, str, Event, bool]] = field(default_factory=deque)
    derived: deque[Event] = field(default_factory=deque)
    seen: set[tuple[str, str]] = field(default_factory=set)
    latest: int = BEGINNING

    # ---------------------------------------------------------- a live partition

    def own(self, event: Event) -> None:
        self.handle(event, event.key, None, whole=True)

    def forwarded(self, by: Expression | None, key: str, event: Event, whole: bool) -> None:
        self.handle(event, key, by, whole)

    def tick(self, time: int) -> None:
        self.clock = max(self.clock, time)
        self.pass_deadlines(None)

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
                self.move(event.time - self.ruleset.lateness)
            self.own(event)
            self.deliver()
        self.move((self.latest if until is None else until) + 1)

    def move(self, to: int) -> None:
        while True:
            passed = [each for each in self.pending if each.due < to]
            if not passed:
                break
            first = min(passed, key=self.order)
            self.clock = max(self.clock, first.due)
            self.expire(first)
            self.deliver()
        self.clock = max(self.clock, to)

    def deliver(self) -> None:
        while self.forwards:
            by, key, event, whole = self.forwards.popleft()
            self.handle(event, key, by, whole)

    # ---------------------------------------------------------- one event under one key

    def now_of(self, key: str) -> int:
        return self.clock if self.shared else max(self.clock, self.clocks.get(key, BEGINNING))

    def handle(self, event: Event, key: str, by: Expression | None, whole: bool) -> None:
        if event.kind == OUTSIDE and not self.shared:
            if event.time < self.now_of(key):
                self.late += 1
            self.clocks[key] = max(self.clocks.get(key, BEGINNING), event.time - self.ruleset.lateness)
        self.pass_deadlines(key)
        if whole:
            self.whole(event, key)
        else:
            self.evaluate(event, key, [by])
        self.follow(key)
        self.pass_deadlines(key)

    def follow(self, key: str) -> None:
        while self.derived:
            self.whole(self.derived.popleft(), key)

    def order(self, each: Pending) -> tuple[int, int, int, int]:
        return each.due, -each.rule.priority, each.rule.place, each.number

    def pass_deadlines(self, key: str | None) -> None:
        while True:
            passed = [
                each for each in self.pending if (key is None or each.key == key) and each.due < self.now_of(each.key)
            ]
            if not passed:
                return
            # a tick goes over all keys, which do not see each other: there the key breaks ties
            self.expire(min(passed, key=self.order if key is not None else lambda p: (p.due, p.key, *self.order(p))))

    def expire(self, each: Pending) -> None:
        self.pending.remove(each)
        self.fire(each.rule, each.key, each.opening, each.lets, each.due, [each.opening.source, each.opening.id], None)
        self.follow(each.key)

    def whole(self, event: Event, key: str) -> None:
        """Every listener whose key this is; the others are forwarded to, once for each `by`."""
        schema = self.ruleset.schemas.get(event.type)
        if schema is not None and not fits(schema.fields, json.loads(bytes(event.data))):
            self.misfits[event.type] = self.misfits.get(event.type, 0) + 1
        folding = [
            projection
            for projection in self.ruleset.projections.values()
            if event.type in projection.delete or any(type == event.type for type, _ in projection.fold)
        ]
        listeners = [(each.by, f"projection {each.name}") for each in folding]
        listeners += [(rule.by, rule.name) for rule in [*self.cancelled_by(event), *self.opening(event)]]
        here: list[Expression | None] = []
        for way in dict.fromkeys(self.way(by) for by, _ in listeners):
            by = next(by for by, _ in listeners if self.way(by) == way)
            try:
                led = event.subject if by is None else cel.text(value_of(by, {"event": event_value(event)}))
            except cel.CelEvaluationError:
                for name in {name for other, name in listeners if self.way(other) == way}:
                    self.unevaluated[name] = self.unevaluated.get(name, 0) + 1
                continue
            if led == key:
                here.append(by)
            else:
                self.send(by, led, event, False)
        self.evaluate(event, key, here)

    def way(self, by: Expression | None) -> str:
        return "event.subject" if by is None else by.text

    def listening(self) -> list[Rule]:
        enabled = [rule for rule in self.ruleset.rules if rule.enabled]
        return sorted(enabled, key=lambda rule: (-rule.priority, rule.place))

    def opening(self, event: Event) -> list[Rule]:
        return [rule for rule in self.listening() if heard(rule.on, event.type)]

    def cancelled_by(self, event: Event) -> list[Rule]:
        unlesses = [(rule, rule.deadline.unless) for rule in self.listening() if rule.deadline]
        return [rule for rule, unless in unlesses if unless is not None and heard(unless.on, event.type)]

    def evaluate(self, event: Event, key: str, bys: list[Expression | None]) -> None:
        ways = [self.way(by) for by in bys]
        for projection in self.ruleset.projections.values():
            if self.way(projection.by) in ways:
                self.fold(projection, event, key)
        for rule in self.listening():
            if self.way(rule.by) not in ways:
                continue
            if rule in self.cancelled_by(event):
                self.cancel(rule, event, key)
            if heard(rule.on, event.type):
                self.meet(rule, event, key)

    def fold(self, projection: Any, event: Event, key: str) -> None:
        place = projection.name, key
        for type, fields in projection.fold:
            if type != event.type:
                continue
            variables: dict[str, Any] = {"event": event_value(event), "key": key, "now": when(event.time)}
            try:
                old = self.rows.get(place)
                if old is None:
                    old = {name: cel.payload(value_of(each, variables)) for name, each in projection.initial}
                variables["row"] = old
                new = {name: cel.payload(value_of(each, variables)) for name, each in fields}
                self.rows[place] = {**old, **new}
            except cel.CelEvaluationError:
                name = f"projection {projection.name}"
                self.unevaluated[name] = self.unevaluated.get(name, 0) + 1
        if event.type in projection.delete:
            self.rows.pop(place, None)

    def variables(self, event: Event, key: str, now: int) -> dict[str, Any]:
        made: dict[str, Any] = {"event": event_value(event), "key": key, "now": when(now)}
        for name in self.ruleset.projections:
            made[name] = self.rows.get((name, key), cel.NotEvaluated("no row"))
        return made

    def cancel(self, rule: Rule, event: Event, key: str) -> None:
        assert rule.deadline is not None
        assert rule.deadline.unless is not None
        condition = rule.deadline.unless.when
        for each in list(self.pending):
            if each.rule is not rule or each.key != key or not each.opening.time <= event.time <= each.due:
                continue
            if condition is not None:
                variables = {**self.variables(event, key, event.time), "start": event_value(each.opening)}
                try:
                    if value_of(condition, variables) is not True:
                        continue
                except cel.CelEvaluationError:
                    continue
            self.pending.remove(each)

    def meet(self, rule: Rule, event: Event, key: str) -> None:
        variables = self.variables(event, key, event.time)
        lets: dict[str, Any] = {}
        for name, expression in rule.let:
            try:
                lets[name] = value_of(expression, {**variables, **lets})
            except cel.CelEvaluationError as error:
                lets[name] = error.again()
        if rule.when is not None:
            try:
                holds = value_of(rule.when, {**variables, **lets})
                if holds is not True and holds is not False:
                    raise cel.CelEvaluationError("not a boolean")
            except cel.CelEvaluationError:
                self.unevaluated[rule.name] = self.unevaluated.get(rule.name, 0) + 1
                return
            if not holds:
                return
        if rule.deadline is None:
            self.fire(rule, key, event, lets, event.time, None, [event.source, event.id])
            return
        mine = [each for each in self.pending if each.rule is rule and each.key == key]
        if rule.deadline.pending == "first" and any(each.opening.time <= event.time for each in mine):
            return
        if rule.deadline.pending == "latest" and any(each.opening.time > event.time for each in mine):
            return
        if rule.deadline.pending != "each":
            self.pending = [each for each in self.pending if each not in mine]
        self.numbers += 1
        self.pending.append(Pending(rule, key, event, lets, self.numbers))

    def fire(self, rule: Rule, key: str, event: Event, lets: Any, at: int, opening: Any, completing: Any) -> None:
        last = self.fired.get((rule.name, key))
        if rule.once_within is not None and last is not None and at < last + rule.once_within:
            return
        variables = {**self.variables(event, key, at), **lets}
        try:
            rendered = [self.render(action, variables) for action in rule.then]
        except cel.CelEvaluationError:
            self.unevaluated[rule.name] = self.unevaluated.get(rule.name, 0) + 1
            return
        for place, (action, (args, subject)) in enumerate(zip(rule.then, rendered, strict=True)):
            parts = [self.ruleset.name, rule.name, key, opening, completing, at, place]
            text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
            id = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
            if event.hops >= 16:
                self.outputs.append(("looped", key, event.id))
            elif isinstance(action, CommandAction):
                self.outputs.append(("command", id, action.command, rule.name, key, at, event.id, args, rule.shadow))
            else:
                self.emit(rule, key, action.type, event.subject if subject is None else subject, at, id, args, event)
        if rule.once_within is not None and event.hops < 16:
            self.fired[rule.name, key] = at

    def emit(self, rule: Rule, key: str, type: str, subject: str, at: int, id: str, data: Any, event: Event) -> None:
        raw = msgspec.Raw(json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode())
        made = Event(type, at, subject, subject, "orchestrator", id, 0, raw, DERIVED, event.hops + 1)
        if rule.shadow or subject == key:
            self.outputs.append(("derived", id, type, subject, at, rule.shadow))
            if not rule.shadow:
                self.derived.append(made)
        else:
            if self.shared:
                self.outputs.append(("derived", id, type, subject, at, False))
            self.send(None, subject, made, True)

    def send(self, by: Expression | None, key: str, event: Event, whole: bool) -> None:
        if self.shared:
            self.forwards.append((by, key, event, whole))
        else:
            self.outputs.append(("forward", "" if whole else self.way(by), key, event.id))

    def render(self, action: Any, variables: dict[str, Any]) -> tuple[Any, str | None]:
        if isinstance(action, CommandAction):
            return self.filled(action.args, variables), None
        subject = None if action.subject is None else cel.text(self.filled(action.subject, variables))
        return self.filled(action.data, variables), subject

    def filled(self, payload: Any, variables: dict[str, Any]) -> Any:
        if isinstance(payload, TemplateText):
            return payload.template(variables)
        if isinstance(payload, dict):
            return {key: self.filled(value, variables) for key, value in payload.items()}
        if isinstance(payload, list):
            return [self.filled(value, variables) for value in payload]
        return payload
