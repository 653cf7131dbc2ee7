"""Why expected commands of a test did not happen: what the rules that decide them made of the given events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rules.compile import compile_rules
from rules.diagnostics import did_you_mean, shown
from rules.explain.explainer import Explainer
from rules.explain.explanation import RuleExplained
from rules.explain.simulated import known
from rules.explain.text import rule_lines
from rules.given import event_of
from rules.model.action import CommandAction
from rules.model.test_case import TestCase
from rules.ruleset import RuleSet
from rules.simulation import Simulation
from streams.event import TICK, Event

MOST: Final = 3
"""Events that are told of, of one rule."""


def why(ruleset: RuleSet, test: TestCase, missing: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines for the report of a test; `missing` are expectations that no command was left for."""
    lines: list[str] = []
    wanted: dict[str, None] = {}
    for each in missing:
        found = _deciding(ruleset, each)
        if not found and "command" in each:
            known_commands = {action.command for rule in ruleset.rules for action in _commands(rule.then)}
            hint = did_you_mean(str(each["command"]), known_commands)
            lines.append(f"  no rule has a command {shown(str(each['command']))}" + (f": {hint}" if hint else ""))
        wanted |= dict.fromkeys(found)
    if wanted:
        told = _told(ruleset, test, tuple(wanted))
        for rule in wanted:
            lines += _lines(rule, told[rule])
    return lines


def _deciding(ruleset: RuleSet, expected: Mapping[str, Any]) -> list[str]:
    """The rules that could have decided it."""
    return [
        rule.name
        for rule in ruleset.rules
        if expected.get("rule", rule.name) == rule.name
        and (
            rule.function is not None
            or any(expected.get("command", action.command) == action.command for action in _commands(rule.then))
        )
    ]


def _commands(actions: Sequence[Any]) -> Iterator[CommandAction]:
    return (action for action in actions if isinstance(action, CommandAction))


def _told(ruleset: RuleSet, test: TestCase, rules: Sequence[str]) -> dict[str, list[tuple[int, Event, RuleExplained]]]:
    """Rule → (place in `given`, event, what it made of it), of the events for which it did not fire."""
    told: dict[str, list[tuple[int, Event, RuleExplained]]] = {rule: [] for rule in rules}
    explainer = Explainer(ruleset)
    simulation = Simulation(compile_rules(ruleset))
    for place, attributes in enumerate(test.given, 1):
        event = event_of(attributes)
        if event.type != TICK:
            simulation.approach(event)
            for key in explainer.explain(event, known(simulation)).keys:
                for rule in key.rules:
                    if rule.rule in told and rule.verdict != "fired":
                        told[rule.rule].append((place, event, rule))
        simulation.event(event)
    return told


def _lines(rule: str, told: Sequence[tuple[int, Event, RuleExplained]]) -> Iterator[str]:
    if not told:
        yield f"  rule {shown(rule)} met no event of `given` for which it did not fire"
    for place, event, found in told[-MOST:]:
        subject = f" of {event.subject}" if event.subject else ""
        yield f"  event {place}, {event.type}{subject}:"
        yield from rule_lines(found)
    if len(told) > MOST:
        yield f"  … and {len(told) - MOST} events before these"
