"""What a rule does with an event: cancel, fire, open a deadline, enter a window, move a sequence on; and what it does
when something that waited is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules import cel
from streams.event import Event
from tests.oracle import window
from tests.oracle.document import Rule
from tests.oracle.sequence import advanced
from tests.oracle.values import evaluated, event_value, holds
from tests.oracle.waiting import Firing, Match, Met, Open, Pending, Quiet, Waiting

if TYPE_CHECKING:
    from tests.oracle.naive import Oracle


class Meeting:
    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.met: dict[tuple[str, str], list[Met]] = {}
        """(rule, key) → what entered a sliding window, by arrival."""
        self.matches: dict[tuple[str, str], list[Match]] = {}
        self.ended: set[tuple[str, str, int]] = set()
        """(rule, key, end) of tumbling windows that have fired."""

    # ---------------------------------------------------------- an event

    def meet(self, rule: Rule, event: Event, key: str) -> None:
        if rule.sequence:
            self.follow(rule, event, key)
            return
        variables = self.oracle.variables(event, key, event.time)
        lets = self.lets(rule, variables)
        try:
            if not holds(rule.when, {**variables, **lets}):
                return
            arguments = window.arguments(rule, event) if rule.over else {}
        except cel.CelEvaluationError:
            self.oracle.refused(rule.name)
            return
        met = Met(event, lets, arguments, self.oracle.number())
        if rule.after is not None:
            self.open(rule, met, key)
        elif rule.over is None:
            completing = [event.source, event.id]
            self.oracle.deciding.decide(Firing(rule, key, event, lets, event.time, None, completing, event.id))
        elif rule.over.kind == "tumbling":
            self.enter_tumbling(rule, met, key)
        elif rule.over.kind == "session":
            self.enter_session(rule, met, key)
        else:
            self.slide(rule, met, key)

    def lets(self, rule: Rule, variables: dict[str, Any]) -> dict[str, Any]:
        lets: dict[str, Any] = {}
        for name, text in rule.let:
            try:
                lets[name] = evaluated(text, {**variables, **lets})
            except cel.CelEvaluationError as error:
                lets[name] = error.again()
        return lets

    def follow(self, rule: Rule, event: Event, key: str) -> None:
        """Sequences. What completes fires if `when` holds, with the `let` values of that moment."""
        variables = self.oracle.variables(event, key, event.time)
        matches = self.matches.setdefault((rule.name, key), [])

        def refused() -> None:
            self.oracle.refused(rule.name)

        for match in advanced(rule, key, matches, event, self.oracle.now_of(key), variables, refused):
            names = {name: event_value(each) for name, each in match.names.items()}
            lets = self.lets(rule, {**variables, **names})
            try:
                if not holds(rule.when, {**variables, **names, **lets}):
                    continue
            except cel.CelEvaluationError:
                refused()
                continue
            opening, completing = [match.opening.source, match.opening.id], [event.source, event.id]
            values = {**names, **lets}
            firing = Firing(rule, key, event, values, event.time, opening, completing, match.opening.id)
            self.oracle.deciding.decide(firing)
        beyond = max(0, len(matches) - self.oracle.most_matches)
        del matches[:beyond]
        self.oracle.dropped("matches", rule.name, beyond)

    # ---------------------------------------------------------- deadlines

    def cancel(self, rule: Rule, event: Event, key: str) -> None:
        assert rule.unless is not None
        for each in self.waiting_of(rule, key):
            if not isinstance(each, Pending):
                continue
            opening = each.met.event
            if not opening.time <= event.time <= each.due:
                continue
            variables = {**self.oracle.variables(event, key, event.time), "start": event_value(opening)}
            try:
                if holds(rule.unless.when, variables):
                    self.oracle.waiting.remove(each)
            except cel.CelEvaluationError:
                continue

    def open(self, rule: Rule, met: Met, key: str) -> None:
        mine = [each for each in self.waiting_of(rule, key) if isinstance(each, Pending)]
        time = met.event.time
        if rule.pending == "first" and any(each.met.event.time <= time for each in mine):
            return
        if rule.pending == "latest" and any(each.met.event.time > time for each in mine):
            return
        if rule.pending != "each":
            for each in mine:
                self.oracle.waiting.remove(each)
        self.oracle.waiting.append(Pending(rule, key, met.number, met))

    def waiting_of(self, rule: Rule, key: str) -> list[Waiting]:
        waiting = [each for each in self.oracle.waiting if isinstance(each, Waiting)]
        return [each for each in waiting if each.rule is rule and each.key == key]

    # ---------------------------------------------------------- windows

    def slide(self, rule: Rule, met: Met, key: str) -> None:
        clock, event = self.oracle.now_of(key), met.event
        if window.too_old(rule, event.time, clock):
            return
        entered = self.met.setdefault((rule.name, key), [])
        entered.append(met)
        for oldest in window.beyond(rule, entered, clock):
            entered.remove(oldest)
            self.oracle.dropped("window", rule.name, 1)
        if rule.over is not None and rule.over.kind == "stepped":
            step = rule.over.step
            self.crowd(rule, [each for each in entered if each.event.time // step == event.time // step])
        held = window.seen_from(rule, entered, event.time, clock)
        completing = [event.source, event.id]
        if held:
            self.look(rule, held, Firing(rule, key, event, met.lets, event.time, None, completing, event.id))

    def enter_tumbling(self, rule: Rule, met: Met, key: str) -> None:
        assert rule.over is not None
        span = rule.over.span
        start = met.event.time // span * span
        for each in self.waiting_of(rule, key):
            if isinstance(each, Open) and each.start == start:
                each.held.append(met)
                self.crowd(rule, each.held)
                return
        if start + span >= self.oracle.now_of(key) and (rule.name, key, start + span) not in self.ended:
            self.oracle.waiting.append(Open(rule, key, met.number, [met]))

    def enter_session(self, rule: Rule, met: Met, key: str) -> None:
        assert rule.over is not None
        gap, time = rule.over.span, met.event.time
        sessions = [each for each in self.waiting_of(rule, key) if isinstance(each, Open)]
        touched = [each for each in sessions if each.first - gap <= time <= each.last + gap]
        if not touched and time + gap < self.oracle.now_of(key):
            return
        for each in touched:
            self.oracle.waiting.remove(each)
        held = sorted([met, *(old for each in touched for old in each.held)], key=lambda one: one.number)
        self.oracle.waiting.append(Open(rule, key, held[0].number, held))
        self.crowd(rule, held)

    def crowd(self, rule: Rule, part: list[Met]) -> None:
        """It came in here."""
        if window.crowded(rule, part):
            self.oracle.crowded.add(f"window_capped|{rule.name}")

    def look(self, rule: Rule, held: list[Met], firing: Firing) -> None:
        """Fires if `having` holds for what the window holds, in the order that `first` and `last` mean."""
        values = {**firing.values, **window.values(rule, held)}
        try:
            if not holds(rule.having, {**self.oracle.variables(firing.event, firing.key, firing.at), **values}):
                return
        except cel.CelEvaluationError:
            self.oracle.refused(rule.name)
            return
        firing.values = values
        self.oracle.deciding.decide(firing)

    # ---------------------------------------------------------- what is due

    def expire(self, each: Waiting) -> None:
        """The clock has passed it, and it is taken out."""
        rule, key, due = each.rule, each.key, each.due
        if isinstance(each, Pending):
            event = each.met.event
            opening = [event.source, event.id]
            self.oracle.deciding.decide(Firing(rule, key, event, each.met.lets, due, opening, None, event.id))
        elif isinstance(each, Quiet):
            self.oracle.deciding.settled(each.last, due)
        elif isinstance(each, Open):
            self.ended.add((rule.name, key, due))
            held = window.by_time(each.held)
            last = held[-1]
            cause = each.held[0].event.id
            self.look(rule, held, Firing(rule, key, last.event, last.lets, due, [each.start, due], None, cause))
