"""From a firing to what comes out: quiet times, throttles, payloads, ids."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec

from rules import cel
from streams.event import DERIVED, Event
from tests.oracle.document import Rule
from tests.oracle.values import filled
from tests.oracle.version import labelled
from tests.oracle.waiting import Firing, Quiet

if TYPE_CHECKING:
    from tests.oracle.naive import Oracle

MOST_HOPS = 16


class Deciding:
    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.fired: dict[tuple[str, str], int] = {}
        """(rule, key) → the time of the last firing that no throttle silenced."""

    def decide(self, firing: Firing) -> None:
        """All else is decided: it is done now, or waits for quiet."""
        rule, key = firing.rule, firing.key
        if rule.settle is None:
            self.done(firing)
            return
        firing.number = self.oracle.number()
        near = [
            each
            for each in self.oracle.waiting
            if isinstance(each, Quiet)
            and each.rule is rule
            and each.key == key
            and any(abs(other.at - firing.at) < rule.settle for other in each.firings)
        ]
        for each in near:
            self.oracle.waiting.remove(each)
        number = min((each.number for each in near), default=firing.number)
        firings = [firing, *(other for each in near for other in each.firings)]
        self.oracle.waiting.append(Quiet(rule, key, number, firings))

    def settled(self, last: Firing, at: int) -> None:
        """It was quiet since that firing."""
        self.done(dataclasses.replace(last, at=at, cause=last.event.id))

    def done(self, firing: Firing) -> None:
        """Silenced, or done: all actions or, where one cannot be evaluated, none."""
        rule, key, at, event = firing.rule, firing.key, firing.at, firing.event
        last = self.fired.get((rule.name, key))
        if rule.once_within is not None and last is not None and at < last + rule.once_within:
            return
        variables = {**self.oracle.variables(event, key, at), **firing.values}
        try:
            rendered = [self.render(action, variables) for action in rule.then]
        except cel.CelEvaluationError:
            self.oracle.refused(rule.name)
            return
        for place, (action, (subject, payload)) in enumerate(zip(rule.then, rendered, strict=True)):
            id = self.id(firing, place)
            if event.hops >= MOST_HOPS:
                self.oracle.outputs.append(("looped", key, event.id))
            elif "emit" in action:
                self.emit(
                    rule, key, action["emit"], event.subject if subject is None else subject, at, id, payload, event
                )
            else:
                name = action.get("command", "alert")
                self.oracle.outputs.append(
                    ("command", id, name, rule.name, key, at, firing.cause, payload, rule.shadow)
                )
        if rule.once_within is not None and event.hops < MOST_HOPS:
            self.fired[rule.name, key] = at

    def id(self, firing: Firing, place: int) -> str:
        ruleset = self.oracle.document.name
        parts = [ruleset, firing.rule.name, firing.key, firing.opening, firing.completing, firing.at, place]
        text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def render(self, action: dict[str, Any], variables: dict[str, Any]) -> tuple[str | None, Any]:
        """(subject, args or data). Raises CelEvaluationError."""
        if "alert" in action:
            args = {"text": action["alert"], "severity": action.get("severity", "warning")}
            return None, filled(args, variables)
        if "command" in action:
            return None, filled(action.get("args", {}), variables)
        subject = action.get("subject")
        text = None if subject is None else cel.text(filled(subject, variables))
        return text, filled(action.get("data"), variables)

    def emit(self, rule: Rule, key: str, type: str, subject: str, at: int, id: str, data: Any, event: Event) -> None:
        raw = msgspec.Raw(json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode())
        made = Event(type, at, subject, subject, "orchestrator", id, 0, raw, DERIVED, event.hops + 1)
        oracle = self.oracle
        made = labelled(oracle.document, made)
        if rule.shadow or subject == key:
            oracle.outputs.append(("derived", id, type, subject, at, rule.shadow))
            if not rule.shadow:
                oracle.derived.append(made)
            return
        if oracle.shared:
            oracle.outputs.append(("derived", id, type, subject, at, False))
        oracle.send(None, subject, made)
