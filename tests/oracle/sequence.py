"""Sequences as RULES.md §5 says them: every partial match is looked at for every event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rules import cel
from streams.event import Event
from tests.oracle.document import Condition, Rule, heard
from tests.oracle.values import event_value, holds
from tests.oracle.waiting import Match

Refused = Callable[[], None]
"""Called where a condition cannot be evaluated."""


def fits(condition: Condition, event: Event, variables: dict[str, Any], refused: Refused) -> bool:
    if not heard(condition.on, event.type):
        return False
    try:
        return holds(condition.when, variables)
    except cel.CelEvaluationError:
        refused()
        return False


def advanced(
    rule: Rule, key: str, open: list[Match], event: Event, clock: int, variables: dict[str, Any], refused: Refused
) -> Iterator[Match]:
    """Moves the open matches of a key on, oldest first, and yields those that this completes. Then the event may open
    one of its own. `open` is changed."""
    for match in list(open):
        if clock > match.opening.time + rule.within:
            open.remove(match)
            continue
        if not match.reached <= event.time <= match.opening.time + rule.within:
            continue
        step = rule.sequence[match.step]
        bound = {**variables, **{name: event_value(each) for name, each in match.names.items()}}
        if match.count == 0 and any(fits(each, event, bound, refused) for each in step.nots):
            open.remove(match)
            continue
        if not fits(step.fits, event, {**bound, step.name: event_value(event)}, refused):
            continue
        take(match, event)
        if match.step == len(rule.sequence):
            open.remove(match)
            yield match
    first = rule.sequence[0]
    if clock > event.time + rule.within:
        return
    if fits(first.fits, event, {**variables, first.name: event_value(event)}, refused):
        match = Match(rule, key, event)
        take(match, event)
        if match.step == len(rule.sequence):
            yield match
        else:
            open.append(match)


def take(match: Match, event: Event) -> None:
    step = match.rule.sequence[match.step]
    match.names[step.name] = event
    match.reached = event.time
    match.count += 1
    if match.count == step.times:
        match.step, match.count = match.step + 1, 0
