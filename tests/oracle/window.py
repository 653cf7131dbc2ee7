"""Windows as RULES.md §3 and §9 say them: every event that a rule met is there, and each look is a full scan."""

from __future__ import annotations

from typing import Any

from rules import cel
from tests.oracle.aggregate import aggregated, different, takes
from tests.oracle.document import Rule
from tests.oracle.values import aggregates_in, aggregates_of, evaluated, event_value
from tests.oracle.waiting import Met

Aggregate = tuple[str, str, str | None]


def aggregates(rule: Rule) -> list[Aggregate]:
    """(variable, function, argument) of all that the rule reads."""
    found = aggregates_in(rule.having) if rule.having is not None else []
    for action in rule.then:
        found = found + aggregates_of(action)
    return list(dict.fromkeys(found))


def arguments(rule: Rule, event: Any) -> dict[str, Any]:
    """What the event brings to the aggregates. Raises CelEvaluationError: then it does not enter."""
    values: dict[str, Any] = {}
    for name, function, argument in aggregates(rule):
        if argument is not None:
            values[name] = evaluated(argument, {"event": event_value(event)})
            if not takes(function, values[name]):
                raise cel.CelEvaluationError(f"{function} does not take that")
    return values


def values(rule: Rule, held: list[Met]) -> dict[str, Any]:
    """Variable → aggregate, or the error that is in its place. `held` is in the order that `first` and `last` mean."""
    made: dict[str, Any] = {}
    for name, function, _ in aggregates(rule):
        known = [met.arguments.get(name) for met in held]
        if function == "distinct":
            known = [value for part in parts(rule, held) for value in told_apart(rule, name, part)]
        try:
            made[name] = aggregated(function, known)
        except cel.CelEvaluationError as error:
            made[name] = error.again()
    return made


def parts(rule: Rule, held: list[Met]) -> list[list[Met]]:
    """What has room for so many different values: each step, or all of a window."""
    assert rule.over is not None
    step = rule.over.step
    places = {met.event.time // step if step else 0 for met in held}
    return [[met for met in held if not step or met.event.time // step == place] for place in sorted(places)]


def told_apart(rule: Rule, name: str, part: list[Met]) -> list[Any]:
    """The different values of an aggregate's argument, but no more than there is room for."""
    assert rule.over is not None
    found = different([met.arguments[name] for met in sorted(part, key=lambda met: met.number)])
    return found if rule.over.kind in ("exact", "last") else found[: rule.over.limit]


def crowded(rule: Rule, part: list[Met]) -> bool:
    """Whether there are more different values than there is room for."""
    assert rule.over is not None
    names = [name for name, function, _ in aggregates(rule) if function == "distinct"]
    most = rule.over.limit
    return any(len(different([met.arguments[name] for met in part])) > most for name in names)


def by_time(held: list[Met]) -> list[Met]:
    return sorted(held, key=lambda met: (met.event.time, met.number))


def too_old(rule: Rule, time: int, clock: int) -> bool:
    """Whether a sliding window has forgotten such an event."""
    assert rule.over is not None
    window = rule.over
    if window.kind == "exact":
        return time <= clock - window.span
    if window.kind == "stepped":
        return time // window.step <= (clock - window.span) // window.step
    return False


def beyond(rule: Rule, met: list[Met], clock: int) -> list[Met]:
    """The oldest of what an exact window remembers, where that is more than it holds."""
    assert rule.over is not None
    if rule.over.kind != "exact":
        return []
    known = by_time([each for each in met if not too_old(rule, each.event.time, clock)])
    return known[: -rule.over.limit]


def seen_from(rule: Rule, met: list[Met], time: int, clock: int) -> list[Met]:
    """What a sliding window, or the last so many, holds when an event at `time` was the last to arrive."""
    assert rule.over is not None
    window = rule.over
    if window.kind == "last":
        return met[-window.span :]
    known = [each for each in met if not too_old(rule, each.event.time, clock)]
    if window.kind == "exact":
        return by_time([each for each in known if time - window.span < each.event.time <= time])
    first, last = (time - window.span) // window.step + 1, time // window.step
    return by_time([each for each in known if first <= each.event.time // window.step <= last])
