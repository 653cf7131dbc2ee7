"""From a firing to what comes out: quiet times, throttles, payloads, ids."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from rules import cel
from streams.event import DERIVED, Event
from tests.oracle.document import Rule, micros
from tests.oracle.values import filled
from tests.oracle.version import labelled
from tests.oracle.waiting import Firing, Quiet

if TYPE_CHECKING:
    from tests.oracle.naive import Oracle

MOST_HOPS = 16
Output = tuple[Any, ...]


@dataclass
class Rendered:
    """An action with its payload evaluated."""

    subject: str | None
    payload: Any
    """Of a command its args, of a derived event its data."""
    instead: list[Rendered]
    """Its fallback."""


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
        for place, (action, payload) in enumerate(zip(rule.then, rendered, strict=True)):
            if event.hops >= MOST_HOPS:
                self.oracle.outputs.append(("looped", key, event.id))
            elif "emit" in action:
                self.emit(rule, key, self.made(firing, action, payload, place))
            else:
                self.oracle.outputs.append(self.command(firing, action, payload, place))
        if rule.once_within is not None and event.hops < MOST_HOPS:
            self.fired[rule.name, key] = at

    def id(self, firing: Firing, place: int | str) -> str:
        ruleset = self.oracle.document.name
        parts = [ruleset, firing.rule.name, firing.key, firing.opening, firing.completing, firing.at, place]
        text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def render(self, action: dict[str, Any], variables: dict[str, Any]) -> Rendered:
        """Raises CelEvaluationError."""
        instead = [self.render(each, variables) for each in action.get("fallback", [])]
        if "alert" in action:
            args = {"text": action["alert"], "severity": action.get("severity", "warning")}
            return Rendered(None, filled(args, variables), instead)
        if "command" in action:
            return Rendered(None, filled(action.get("args", {}), variables), instead)
        subject = action.get("subject")
        text = None if subject is None else cel.text(filled(subject, variables))
        return Rendered(text, filled(action.get("data"), variables), instead)

    def command(self, firing: Firing, action: dict[str, Any], rendered: Rendered, place: int | str) -> Output:
        rule = firing.rule
        name, to = action.get("command", "alert"), action.get("to", "alerts")
        id, terms = self.id(firing, place), self.terms(firing, action, rendered, place)
        args = (rendered.payload, rule.shadow, to, terms)
        return ("command", id, name, rule.name, firing.key, firing.at, firing.cause, *args)

    def terms(self, firing: Firing, action: dict[str, Any], rendered: Rendered, place: int | str) -> Any:
        """(timeout, expires, whether in order, fallback) of an action that says one of them."""
        if not {"timeout", "expires", "order", "fallback"} & set(action):
            return None
        fallback: list[Output] = []
        for number, (each, payload) in enumerate(zip(action.get("fallback", []), rendered.instead, strict=True)):
            within = f"{place}.fallback.{number}"
            if "emit" in each:
                fallback.append(derived(self.made(firing, each, payload, within), firing.rule.shadow))
            else:
                fallback.append(self.command(firing, each, payload, within))
        times = [micros(action.get(name, "0s")) for name in ("timeout", "expires")]
        return (*times, "order" in action, fallback)

    def made(self, firing: Firing, action: dict[str, Any], rendered: Rendered, place: int | str) -> Event:
        """The event that an action emits."""
        event, id = firing.event, self.id(firing, place)
        subject = event.subject if rendered.subject is None else rendered.subject
        raw = msgspec.Raw(json.dumps(rendered.payload, separators=(",", ":"), ensure_ascii=False).encode())
        type, hops = action["emit"], event.hops + 1
        made = Event(type, firing.at, subject, subject, "orchestrator", id, 0, raw, DERIVED, hops)
        return labelled(self.oracle.document, made)

    def emit(self, rule: Rule, key: str, made: Event) -> None:
        oracle = self.oracle
        if rule.shadow or made.subject == key:
            oracle.outputs.append(derived(made, rule.shadow))
            if not rule.shadow:
                oracle.derived.append(made)
            return
        if oracle.shared:
            oracle.outputs.append(derived(made, False))
        oracle.send(None, made.subject, made)


def derived(event: Event, shadow: bool) -> Output:
    """A derived event as an output."""
    data = json.loads(bytes(event.data))
    return "derived", event.id, event.type, event.subject, event.time, shadow, data, event.extensions, event.hops
